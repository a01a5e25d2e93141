//! *What does a client get for a request?* One handler for every era of the protocol: `rmcp` negotiates the version
//! and shapes the envelope, this says what is in it.
//!
//! **Invariant:** no call runs on an async thread; the store may take its time with a disk.

use std::sync::Arc;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, CompleteRequestParams, CompleteResult,
    CustomRequest, CustomResult, ElicitationAction, ErrorCode, ErrorData, GetPromptRequestParams,
    GetPromptResponse, Implementation, InputResponses, ListPromptsResult, ListResourceTemplatesResult,
    ListResourcesResult, ListToolsResult, PaginatedRequestParams, ProtocolVersion, ReadResourceRequestParams,
    ReadResourceResponse, ServerCapabilities, ServerConfig, SubscribeRequestParams, SubscriptionFilter,
    SubscriptionsListenRequestParams, Tool, ToolAnnotations, UnsubscribeRequestParams,
};
use rmcp::service::{RequestContext, SubscriptionContext};
use rmcp::{RoleServer, ServerHandler};
use serde_json::Value;

use super::confirm::{Question, Questions};
use super::image::picture;
use super::subscriptions::{self, Subscriptions};
use super::surface::Surface;
use super::{completions, confirm, progress, prompts, resources};
use crate::door::Host;
use crate::engine::{Caller, Cancel, Writes};
use crate::event::{nearest, quote};
use crate::tools::{self, Answer, Object};

/// How much of a client's name and version is kept: 64 characters. It is stamped on every event it stores.
const CLIENT_CHARS_MAX: usize = 64;

/// Ends a call that nobody waits for, also when its request is given up as a whole.
struct Ending(Cancel);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// The handler of all requests of one client.
pub(crate) struct Server {
    host: Arc<Host>,
    surface: Surface,
    tools: Vec<Tool>,
    instructions: String,
    questions: Questions,
    subscriptions: Subscriptions,
}

impl Server {
    pub(crate) fn new(host: Arc<Host>, surface: Surface) -> Self {
        let tools = surface.listed().map(describe).collect();
        let can_write = surface.listed().any(|tool| !tool.hints.read_only);
        // What the owner of a damaged store says comes first in the agent's mind too.
        let warnings = host.warnings().into_iter().map(|warning| format!("\n\nWarning: {warning}"));
        let instructions = tools::instructions(can_write) + &warnings.collect::<String>();
        let (questions, subscriptions) = (Questions::default(), Subscriptions::default());
        Self { host, surface, tools, instructions, questions, subscriptions }
    }

    fn caller(&self, context: &RequestContext<RoleServer>) -> Caller {
        let short = |text: String| text.chars().take(CLIENT_CHARS_MAX).collect();
        let (client, client_version) =
            context.client_info().map(|client| (short(client.name), short(client.version))).unzip();
        Caller { client, client_version, ..self.surface.caller() }
    }

    /// Asks the host on a thread that may block.
    async fn ask<T: Send + 'static>(
        &self,
        context: &RequestContext<RoleServer>,
        question: impl FnOnce(&Host, &Caller) -> T + Send + 'static,
    ) -> Result<T, ErrorData> {
        let (progress, telling) = progress::listen(context);
        let (host, caller) = (Arc::clone(&self.host), Caller { progress, ..self.caller(context) });
        let ending = Ending(caller.cancel.clone());
        let mut running = tokio::task::spawn_blocking(move || question(&host, &caller));
        let ended = tokio::select! {
            ended = &mut running => ended,
            () = context.ct.cancelled() => {
                ending.0.cancel();
                running.await
            }
        };
        if let Some(telling) = telling {
            let _ = telling.await;
        }
        ended.map_err(|error| {
            tracing::error!(%error, "a call ended without an answer");
            ErrorData::internal_error(
                "the call ended without an answer: a defect in allsource, please report it",
                None,
            )
        })
    }

    /// Performs a call that changes something for good once the person at the client has agreed.
    async fn once_agreed(
        &self,
        tool: &'static str,
        arguments: Object,
        asked: Option<String>,
        responses: Option<&InputResponses>,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let agreed = if let Some(asked) = asked {
            self.questions.answered(&asked, responses, &arguments)
        } else {
            let call = arguments.clone();
            let found =
                self.ask(context, move |host, caller| confirm::question(host, caller, tool, &call)).await?;
            match found {
                Err(answer) => Err(answer),
                Ok(question) if is_without_handshake(context) => {
                    return Ok(self.questions.ask(&question, &arguments).into());
                }
                Ok(question) => asked_meanwhile(&question, context).await,
            }
        };
        let answer = match agreed {
            Err(answer) => answer,
            Ok(diff) => {
                let done = self.ask(context, move |host, caller| {
                    confirm::confirmed(host, caller, tool, &arguments, diff)
                });
                done.await?
            }
        };
        Ok(rendered(answer).into())
    }

    fn unknown_tool(&self, name: &str) -> ErrorData {
        let names: Vec<&str> = self.tools.iter().map(|tool| &*tool.name).collect();
        let near = nearest(name, names.iter().copied(), 1);
        let hint = near.first().map(|name| format!("did you mean {name}? ")).unwrap_or_default();
        let message = format!("there is no tool {}; {hint}there are {}", quote(name), names.join(", "));
        ErrorData::invalid_params(message, None)
    }
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_prompts()
            .enable_resources()
            .enable_resources_subscribe()
            .enable_completions()
            .build();
        let allsource = Implementation::new("allsource", env!("CARGO_PKG_VERSION"))
            .with_title("AllSource")
            .with_description(env!("CARGO_PKG_DESCRIPTION"));
        ServerConfig::new(capabilities)
            .with_server_info(allsource)
            .with_instructions(self.instructions.as_str())
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.tools.clone()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Some(tool) = self.surface.find(&request.name) else {
            return Err(self.unknown_tool(&request.name));
        };
        let CallToolRequestParams { arguments, input_responses, request_state, .. } = request;
        let arguments = arguments.unwrap_or_default();
        let needs_person = confirm::is_asked_about(tool.name, &arguments)
            && self.surface.writes() != Writes::None
            && confirm::can_ask(context.client_capabilities().as_ref());
        if needs_person {
            let responses = input_responses.as_ref();
            return self.once_agreed(tool.name, arguments, request_state, responses, &context).await;
        }
        let answer = self.ask(&context, move |host, caller| host.call(tool.name, &arguments, caller));
        Ok(rendered(answer.await?).into())
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        Ok(ListPromptsResult::with_all_items(prompts::list()))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let arguments = request.arguments.unwrap_or_default();
        let prompt =
            self.ask(&context, move |host, caller| prompts::get(host, caller, &request.name, arguments));
        Ok(prompt.await??.into())
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        Ok(ListResourcesResult::with_all_items(resources::list()))
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Ok(ListResourceTemplatesResult::with_all_items(resources::templates()))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let contents = self.ask(&context, move |host, caller| resources::read(host, caller, &request.uri));
        Ok(contents.await??.into())
    }

    async fn subscribe(
        &self,
        request: SubscribeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        let (caller, peer) = (self.caller(&context), context.peer.clone());
        self.subscriptions.subscribe(&self.host, caller, request.uri, peer).await
    }

    async fn unsubscribe(
        &self,
        request: UnsubscribeRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.subscriptions.unsubscribe(&request.uri);
        Ok(())
    }

    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        Some(subscriptions::accepted(requested))
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        let caller = self.caller(context.request_context());
        self.subscriptions.listen(&self.host, caller, &context).await
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        self.ask(&context, move |host, caller| completions::complete(host, caller, &request)).await?
    }

    /// A method that the protocol does not have, or one whose parameters have another shape.
    async fn on_custom_request(
        &self,
        request: CustomRequest,
        _: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        let reason = match request.method.as_str() {
            "tools/call" => request.params_as::<CallToolRequestParams>().err(),
            "completion/complete" => request.params_as::<CompleteRequestParams>().err(),
            "prompts/get" => request.params_as::<GetPromptRequestParams>().err(),
            "resources/read" => request.params_as::<ReadResourceRequestParams>().err(),
            "resources/subscribe" => request.params_as::<SubscribeRequestParams>().err(),
            "resources/unsubscribe" => request.params_as::<UnsubscribeRequestParams>().err(),
            "subscriptions/listen" => request.params_as::<SubscriptionsListenRequestParams>().err(),
            "tools/list" | "prompts/list" | "resources/list" | "resources/templates/list" => {
                request.params_as::<PaginatedRequestParams>().err()
            }
            method => {
                let message = format!("there is no method {}", quote(method));
                return Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, message, None));
            }
        };
        let reason = reason.map_or_else(|| "parameters are missing".to_owned(), |error| error.to_string());
        Err(ErrorData::invalid_params(format!("{}: {reason}", request.method), None))
    }
}

/// Whether the client began without `initialize`: then a server asks by its answer alone.
fn is_without_handshake(context: &RequestContext<RoleServer>) -> bool {
    context.protocol_version().is_some_and(|version| version >= ProtocolVersion::NO_INITIALIZE)
}

/// Asks the person while the call runs; gives what they agreed to, or the answer when they did not.
async fn asked_meanwhile(
    question: &Question,
    context: &RequestContext<RoleServer>,
) -> Result<String, Answer> {
    let asking = context.peer.create_elicitation_with_timeout(question.form(), Some(confirm::WAIT_MAX));
    let said = tokio::select! {
        said = asking => said,
        // Nobody waits for the answer any more, so no yes may count.
        () = context.ct.cancelled() => return Err(confirm::refused(None)),
    };
    match said {
        Ok(result) if result.action == ElicitationAction::Accept => Ok(question.diff.clone()),
        Ok(result) => Err(confirm::refused(Some(&result.action))),
        Err(error) => {
            tracing::warn!(%error, "failed to ask whether something is to be changed for good");
            Err(confirm::refused(None))
        }
    }
}

/// The text mirrors the object for clients that know no structured content.
fn rendered(answer: Answer) -> CallToolResult {
    let mut result = if answer.is_error {
        CallToolResult::structured_error(Value::Object(answer.body))
    } else {
        CallToolResult::structured(Value::Object(answer.body))
    };
    result.content.extend(answer.image.map(|image| picture(&image)));
    result
}

fn describe(tool: &tools::Tool) -> Tool {
    let hints = ToolAnnotations::new()
        .read_only(tool.hints.read_only)
        .destructive(tool.hints.destructive)
        .idempotent(tool.hints.idempotent)
        .open_world(tool.hints.open_world);
    Tool::new(tool.name, tool.description, tool.input_schema())
        .with_title(tool.title)
        .with_raw_output_schema(Arc::new(tool.output_schema()))
        .with_annotations(hints)
}
