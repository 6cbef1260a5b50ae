//! Whom to ask: any broker, this very one, a group's coordinator, a partition's leader; and how often.
//!
//! A question is asked again, after a back-off, until it is answered with something else than a retriable error. There is no bound here: whoever
//! asks gives up after `default.api.timeout.ms`, and learns from [`Brokers::gave_up`] what went wrong last and whether a request whose answer never
//! came may have been carried out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::time::{sleep, timeout};

use super::groups::{Coordinator, GroupError};
use super::line::{Line, LineError};
use crate::client::CommonConfig;
use crate::operation::Certainty;
use crate::types::{Address, BrokerId, Duration};
use crate::wire::metadata_request::MetadataRequestTopic;
use crate::wire::{
    ApiKey, ErrorCode, FindCoordinatorRequest, FindCoordinatorResponse, MetadataRequest, MetadataResponse, Request, Response,
};

/// What is coordinated: groups.
const GROUPS: i8 = 0;
/// First version of FindCoordinator that asks for several names (KIP-699).
const FIRST_WITH_KEYS: i16 = 4;

/// A question.
pub(super) struct Question<'a> {
    /// Its API.
    pub api: ApiKey,
    /// Whether the answer, if it gets lost, leaves a doubt.
    pub changes: bool,
    /// The request in the version agreed on.
    pub request: &'a (dyn Fn(i16) -> Request + Sync),
}

/// The brokers of a cluster, as one who asks them one after the other knows them.
#[derive(Debug)]
pub(super) struct Brokers {
    config: CommonConfig,
    lines: BTreeMap<Address, Line>,
    failures: u32,
    trouble: Option<String>,
    in_doubt: bool,
}

impl Brokers {
    /// No line so far.
    pub(super) fn new(config: CommonConfig) -> Brokers {
        Brokers { config, lines: BTreeMap::new(), failures: 0, trouble: None, in_doubt: false }
    }

    /// Forgets the troubles of the work before, and says how long this one may take.
    pub(super) fn begin(&mut self) -> std::time::Duration {
        (self.failures, self.trouble, self.in_doubt) = (0, None, false);
        real(self.config.api_timeout)
    }

    /// Why the work did not end in time.
    pub(super) fn gave_up(&self) -> GroupError {
        let certainty = if self.in_doubt { Certainty::Indefinite } else { Certainty::Definite };
        GroupError::TimedOut { trouble: self.trouble.clone().unwrap_or_default(), certainty }
    }

    /// Whether a request whose answer never came may have been carried out.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.in_doubt
    }

    /// Asks one broker once; `None` if no answer came. Then a [pause](Brokers::pause) is due.
    pub(super) async fn ask(&mut self, at: &Address, question: &Question<'_>) -> Result<Option<Response>, GroupError> {
        let Some(mut line) = self.line(at).await else { return Ok(None) };
        let Some(version) = line.version(question.api) else {
            self.lines.insert(at.clone(), line);
            return Err(GroupError::Unsupported { api: question.api, at: at.clone() });
        };
        let request = (question.request)(version);
        let frame = line.frame(&request, version).map_err(|error| GroupError::Unspeakable { reason: error.to_string() })?;
        // Whoever gives up while it waits leaves the line behind, whose next answer would be this one, and the doubt.
        let doubted = self.in_doubt;
        self.in_doubt |= question.changes;
        match timeout(real(self.config.request_timeout), line.ask(frame)).await {
            Ok(Ok((line, response))) => {
                self.in_doubt = doubted;
                self.lines.insert(at.clone(), line);
                return Ok(Some(response));
            }
            Ok(Err(error)) => self.note_lost(at, &error),
            Err(_) => self.trouble = Some(format!("{at} did not answer {} in time", question.api)),
        }
        Ok(None)
    }

    /// The line to a broker, taken out: it comes back with an answer.
    async fn line(&mut self, at: &Address) -> Option<Line> {
        if let Some(line) = self.lines.remove(at) {
            return Some(line);
        }
        match timeout(real(self.config.channel().connect_timeout), Line::open(at, &self.config.client_id)).await {
            Ok(Ok(line)) => return Some(line),
            Ok(Err(error)) => self.note_lost(at, &error),
            Err(_) => self.trouble = Some(format!("{at} does not let us connect")),
        }
        None
    }

    fn note_lost(&mut self, at: &Address, error: &LineError) {
        self.trouble = Some(format!("{at}: {error}"));
    }

    /// What a broker answered instead of what was asked for.
    pub(super) fn note(&mut self, error: ErrorCode) {
        self.trouble = Some(format!("the last answer was {error}"));
    }

    /// Waits before the next attempt.
    pub(super) async fn pause(&mut self) {
        self.failures = self.failures.saturating_add(1);
        sleep(real(self.config.retry_backoff.after(self.failures))).await;
    }

    /// Asks those whom we know, and then those whom we were told of, until one answers.
    async fn ask_anybody(&mut self, question: &Question<'_>) -> Result<Response, GroupError> {
        loop {
            let known: Vec<Address> = self.lines.keys().chain(&self.config.bootstrap).cloned().collect();
            for at in known {
                if let Some(response) = self.ask(&at, question).await? {
                    return Ok(response);
                }
            }
            self.pause().await;
        }
    }

    /// The cluster and these topics as some broker sees them.
    pub(super) async fn metadata(&mut self, topics: &BTreeSet<Arc<str>>) -> Result<MetadataResponse, GroupError> {
        let topic = |name: &Arc<str>| MetadataRequestTopic { name: Some(name.to_string()), ..MetadataRequestTopic::default() };
        let request = |version| {
            let request = MetadataRequest { topics: Some(topics.iter().map(topic).collect()), ..MetadataRequest::default() };
            // Before version 4 there is no choice.
            Request::Metadata(MetadataRequest { allow_auto_topic_creation: version < 4, ..request })
        };
        let question = Question { api: ApiKey::Metadata, changes: false, request: &request };
        let Response::Metadata(response) = self.ask_anybody(&question).await? else {
            unreachable!("an answer is decoded as what was asked")
        };
        Ok(response)
    }

    /// The broker that coordinates a group.
    pub(super) async fn coordinator(&mut self, group: &str) -> Result<Coordinator, GroupError> {
        let request = |version| {
            let mut request = FindCoordinatorRequest { key_type: GROUPS, ..FindCoordinatorRequest::default() };
            match version >= FIRST_WITH_KEYS {
                true => request.coordinator_keys.push(group.to_owned()),
                false => group.clone_into(&mut request.key),
            }
            Request::FindCoordinator(request)
        };
        let question = Question { api: ApiKey::FindCoordinator, changes: false, request: &request };
        loop {
            let Response::FindCoordinator(response) = self.ask_anybody(&question).await? else {
                unreachable!("an answer is decoded as what was asked")
            };
            match coordinator_in(&response, group) {
                Ok(coordinator) => return Ok(coordinator),
                Err(error) if error.is_retriable() => self.note(error),
                Err(error) => return Err(GroupError::refused(group, error)),
            }
            self.pause().await;
        }
    }

    /// Asks a group's coordinator, whoever that is by now, until what it answers is no error that may pass; `judge` finds such errors.
    pub(super) async fn ask_coordinator<T>(
        &mut self,
        group: &str,
        question: &Question<'_>,
        judge: impl Fn(Response) -> Result<T, ErrorCode>,
    ) -> Result<(Coordinator, Result<T, ErrorCode>), GroupError> {
        loop {
            let coordinator = self.coordinator(group).await?;
            if let Some(response) = self.ask(&coordinator.address, question).await? {
                match judge(response) {
                    Err(error) if error.is_retriable() => {
                        // It may have stored what it could not promise in time.
                        self.in_doubt |= question.changes && is_doubtful(error);
                        self.note(error);
                    }
                    judged => return Ok((coordinator, judged)),
                }
            }
            self.pause().await;
        }
    }
}

/// Errors of a coordinator that leave open whether the request has had its effect.
fn is_doubtful(error: ErrorCode) -> bool {
    matches!(
        error,
        ErrorCode::COORDINATOR_NOT_AVAILABLE
            | ErrorCode::NOT_COORDINATOR
            | ErrorCode::REQUEST_TIMED_OUT
            | ErrorCode::NETWORK_EXCEPTION
    )
}

/// The brokers that an answer names.
pub(super) fn addresses(response: &MetadataResponse) -> BTreeMap<BrokerId, Address> {
    let address = |host: &str, port| Some(Address::new(host, u16::try_from(port).ok()?));
    let known =
        response.brokers.iter().filter_map(|broker| Some((BrokerId(broker.node_id), address(&broker.host, broker.port)?)));
    known.collect()
}

fn coordinator_in(response: &FindCoordinatorResponse, group: &str) -> Result<Coordinator, ErrorCode> {
    let old = (response.error_code, response.node_id, response.host.as_str(), response.port);
    let new = response.coordinators.iter().find(|one| one.key == group);
    let (error, node, host, port) = new.map_or(old, |new| (new.error_code, new.node_id, new.host.as_str(), new.port));
    ErrorCode(error).ok()?;
    let port = u16::try_from(port).ok().filter(|_| !host.is_empty()).ok_or(ErrorCode::COORDINATOR_NOT_AVAILABLE)?;
    Ok(Coordinator { broker: BrokerId(node), address: Address::new(host, port) })
}

fn real(duration: Duration) -> std::time::Duration {
    std::time::Duration::from_nanos(duration.0)
}
