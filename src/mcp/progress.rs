//! *How does a client learn how far its call has got?* By notifications, when its request carries a token for them.
//!
//! **Invariant:** what was told of a call is sent before its answer.

use rmcp::RoleServer;
use rmcp::model::ProgressNotificationParam;
use rmcp::service::RequestContext;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::engine::{Progress, Reached};

/// Who is told by a call, and the task that passes it on until the call has ended; nobody unless the client asked.
pub(super) fn listen(context: &RequestContext<RoleServer>) -> (Progress, Option<JoinHandle<()>>) {
    let Some(token) = context.meta.get_progress_token() else { return (Progress::default(), None) };
    let peer = context.peer.clone();
    // With one place: what comes while the last is on its way is not worth telling.
    let (to, mut told) = mpsc::channel::<Reached>(1);
    let telling = tokio::spawn(async move {
        while let Some(reached) = told.recv().await {
            let mut said = ProgressNotificationParam::new(token.clone(), number(reached.done));
            said.total = reached.total.map(number);
            said.message = Some(reached.what);
            if peer.notify_progress(said).await.is_err() {
                return;
            }
        }
    });
    (Progress::to(move |reached| drop(to.try_send(reached))), Some(telling))
}

#[expect(clippy::cast_precision_loss, reason = "the protocol has no integers here; below 2^53 none is lost")]
fn number(count: u64) -> f64 {
    count as f64
}
