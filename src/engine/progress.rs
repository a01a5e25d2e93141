//! *How far has a call got?* Told to whoever asked for it.

use std::fmt;
use std::sync::Arc;

/// How far a call has got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// How much is done; it grows from one time to the next.
    pub done: u64,
    /// How much there is to do, where that is known.
    pub total: Option<u64>,
    /// What is counted, in words of ours.
    pub what: String,
}

/// Who is told how far a call has got; nobody unless somebody asked.
#[derive(Clone, Default)]
pub struct Progress(Option<Arc<dyn Fn(Reached) + Send + Sync>>);

impl Progress {
    /// Has `listener` told. It must not wait: the call does not go on before it returns.
    #[must_use]
    pub fn to(listener: impl Fn(Reached) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(listener)))
    }

    /// Tells it.
    pub(crate) fn tell(&self, done: u64, total: Option<u64>, what: impl Into<String>) {
        if let Some(listener) = &self.0 {
            listener(Reached { done, total, what: what.into() });
        }
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Progress").field(&self.0.is_some()).finish()
    }
}
