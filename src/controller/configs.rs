//! Configurations change while the cluster runs.
//!
//! Two requests do the same in two ways (KIP-133, KIP-339): AlterConfigs names *all* that shall be set, and everything else falls back to
//! its default; IncrementalAlterConfigs names single changes. Both are checked as a whole, resource by resource, before anything is
//! written: a resource with one wrong entry is refused with its name, and stays as it is.
//!
//! ```text
//!   Incremental   set a=1   delete b   append c=compact          AlterConfigs   {a=1}
//!   before        {a=0, b=2, c=delete}                           {a=0, b=2}
//!   records       a=1, b=null, c=delete,compact                  a=1, b=null      only what really changes
//! ```
//!
//! A topic that now prefers any leader over none (`unclean.leader.election.enable`) gets one at once where it has none.
//!
//! Simplified: only topics can be configured. What is in a broker's file is fixed for its life, and asking to change it is refused as Kafka
//! refuses to change what it cannot change at run time.

use std::collections::BTreeMap;

use super::change::Wish;
use super::election::Unclean;
use super::image::TOPIC_RESOURCE;
use super::state::Controller;
use super::topic_config::{ConfigError, TopicConfig};
use super::topics::check_topic_name;
use crate::types::{PartitionId, TopicId};
use crate::wire::metadata::ConfigRecord;
use crate::wire::{
    AlterConfigsRequest, AlterConfigsResponse, ErrorCode, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
    alter_configs_request, alter_configs_response, incremental_alter_configs_request, incremental_alter_configs_response,
};

/// Resource type of brokers.
const BROKER_RESOURCE: i8 = 4;

/// Why a resource stays as it is: a code, and a sentence for people.
type Refusal = (ErrorCode, String);

/// What is to become of one entry.
enum Wanted {
    Set(String),
    Delete,
    Append(String),
    Subtract(String),
}

impl Controller {
    /// Changes single entries.
    pub fn on_incremental_alter_configs(&mut self, request: &IncrementalAlterConfigsRequest) -> IncrementalAlterConfigsResponse {
        let named: Vec<(i8, &str)> = request.resources.iter().map(|r| (r.resource_type, r.resource_name.as_str())).collect();
        let mut responses = Vec::with_capacity(named.len());
        for (at, resource) in request.resources.iter().enumerate() {
            let planned = self.plan_config(&named, at, |present| incremented(present, resource));
            let result = planned.map(|plan| self.configure_unless(request.validate_only, plan));
            let (error, message) = told(result);
            responses.push(incremental_alter_configs_response::AlterConfigsResourceResponse {
                error_code: error.code(),
                error_message: message,
                resource_type: resource.resource_type,
                resource_name: resource.resource_name.clone(),
                ..Default::default()
            });
        }
        IncrementalAlterConfigsResponse { responses, ..IncrementalAlterConfigsResponse::default() }
    }

    /// Replaces whole configurations.
    pub fn on_alter_configs(&mut self, request: &AlterConfigsRequest) -> AlterConfigsResponse {
        let named: Vec<(i8, &str)> = request.resources.iter().map(|r| (r.resource_type, r.resource_name.as_str())).collect();
        let mut responses = Vec::with_capacity(named.len());
        for (at, resource) in request.resources.iter().enumerate() {
            let planned = self.plan_config(&named, at, |_| replaced(resource));
            let result = planned.map(|plan| self.configure_unless(request.validate_only, plan));
            let (error, message) = told(result);
            responses.push(alter_configs_response::AlterConfigsResourceResponse {
                error_code: error.code(),
                error_message: message,
                resource_type: resource.resource_type,
                resource_name: resource.resource_name.clone(),
                ..Default::default()
            });
        }
        AlterConfigsResponse { responses, ..AlterConfigsResponse::default() }
    }

    /// The topic that the resource at this place of the request names, and its configuration of tomorrow.
    fn plan_config(
        &self,
        named: &[(i8, &str)],
        at: usize,
        next: impl FnOnce(&TopicConfig) -> Result<TopicConfig, Refusal>,
    ) -> Result<(TopicId, TopicConfig), Refusal> {
        let (kind, name) = named[at];
        if named.iter().enumerate().any(|(other, resource)| other != at && *resource == (kind, name)) {
            return Err((ErrorCode::INVALID_REQUEST, "Each resource must appear at most once.".to_owned()));
        }
        match kind {
            TOPIC_RESOURCE => {}
            BROKER_RESOURCE => {
                let why = "Cannot update these configs dynamically: what is in a broker's file holds for its life.";
                return Err((ErrorCode::INVALID_REQUEST, why.to_owned()));
            }
            _ => return Err((ErrorCode::INVALID_REQUEST, format!("Unexpected resource type {kind}."))),
        }
        if let Err(why) = check_topic_name(name) {
            return Err((ErrorCode::INVALID_TOPIC_EXCEPTION, why));
        }
        let Some(topic) = self.image.topic_by_name(name) else {
            return Err((ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, format!("The topic '{name}' does not exist.")));
        };
        next(&topic.config).map(|config| (topic.id, config))
    }

    /// Writes what differs from the present configuration, unless somebody only asks.
    fn configure_unless(&mut self, validate_only: bool, (id, next): (TopicId, TopicConfig)) {
        if validate_only {
            return;
        }
        let topic = self.image.topic(id).expect("planned for an existing topic");
        let (name, present) = (topic.name.to_string(), topic.config.clone());
        let gone = present.iter().filter(|(name, _)| !next.is_set(name)).map(|(name, _)| (name, None));
        let set = next.iter().filter(|(name, value)| present.own(name) != Some(value)).map(|(name, value)| (name, Some(value)));
        for (entry, value) in gone.chain(set) {
            self.write(ConfigRecord {
                resource_type: TOPIC_RESOURCE,
                resource_name: name.clone(),
                name: entry.to_owned(),
                value: value.map(str::to_owned),
                ..ConfigRecord::default()
            });
        }
        if next.unclean_election() && !present.unclean_election() {
            self.elect_where_leaderless(id);
        }
    }

    fn elect_where_leaderless(&mut self, topic: TopicId) {
        let partitions = self.image.topic(topic).into_iter().flat_map(|topic| &topic.partitions);
        let leaderless: Vec<i32> = partitions.filter(|(_, state)| state.leader.is_none()).map(|(index, _)| *index).collect();
        let active: Vec<_> = self.image.brokers().filter(|broker| broker.is_active()).map(|broker| broker.id).collect();
        for index in leaderless {
            let id = PartitionId { topic, index };
            let wish = Wish::election(self.image.partition(id).expect("collected just now"), Unclean::Allowed);
            self.change_partition(id, wish, |candidate| active.contains(&candidate));
        }
    }
}

fn told(result: Result<(), Refusal>) -> (ErrorCode, Option<String>) {
    match result {
        Ok(()) => (ErrorCode::NONE, None),
        Err((error, message)) => (error, Some(message)),
    }
}

fn replaced(resource: &alter_configs_request::AlterConfigsResource) -> Result<TopicConfig, Refusal> {
    TopicConfig::checked(resource.configs.iter().map(|entry| (entry.name.as_str(), entry.value.as_deref()))).map_err(refusal)
}

fn incremented(
    present: &TopicConfig,
    resource: &incremental_alter_configs_request::AlterConfigsResource,
) -> Result<TopicConfig, Refusal> {
    let mut next: BTreeMap<&str, String> = present.iter().map(|(name, value)| (name, value.to_owned())).collect();
    for (at, entry) in resource.configs.iter().enumerate() {
        if resource.configs[..at].iter().any(|other| other.name == entry.name) {
            return Err((ErrorCode::INVALID_REQUEST, "Error due to duplicate config keys".to_owned()));
        }
        match wanted(entry)? {
            Wanted::Set(value) => drop(next.insert(&entry.name, value)),
            Wanted::Delete => drop(next.remove(entry.name.as_str())),
            Wanted::Append(more) => drop(next.insert(&entry.name, appended(present, &entry.name, &more)?)),
            Wanted::Subtract(less) => drop(next.insert(&entry.name, subtracted(present, &entry.name, &less)?)),
        }
    }
    let entries = next.iter().map(|(name, value)| (*name, Some(value.as_str())));
    TopicConfig::checked(entries).map_err(refusal)
}

fn wanted(entry: &incremental_alter_configs_request::AlterableConfig) -> Result<Wanted, Refusal> {
    let value = || {
        let missing = || (ErrorCode::INVALID_REQUEST, format!("Null value not supported for : {}", entry.name));
        entry.value.clone().ok_or_else(missing)
    };
    match entry.config_operation {
        0 => value().map(Wanted::Set),
        1 => Ok(Wanted::Delete),
        2 => value().map(Wanted::Append),
        3 => value().map(Wanted::Subtract),
        other => Err((ErrorCode::INVALID_REQUEST, format!("Unknown operation type {other} for {}", entry.name))),
    }
}

/// The words of a list that is in force; only lists can be added to.
fn words<'a>(present: &'a TopicConfig, name: &str, verb: &str) -> Result<Vec<&'a str>, Refusal> {
    match TopicConfig::is_list(name) {
        true => Ok(present.value(name).unwrap_or_default().split(',').map(str::trim).filter(|word| !word.is_empty()).collect()),
        false => Err((ErrorCode::INVALID_CONFIG, format!("Can't {verb} to key {name} because its type is not LIST."))),
    }
}

fn appended(present: &TopicConfig, name: &str, more: &str) -> Result<String, Refusal> {
    let mut words = words(present, name, "APPEND")?;
    for word in more.split(',').map(str::trim) {
        if !words.contains(&word) {
            words.push(word);
        }
    }
    Ok(words.join(","))
}

fn subtracted(present: &TopicConfig, name: &str, less: &str) -> Result<String, Refusal> {
    let mut words = words(present, name, "SUBTRACT")?;
    words.retain(|word| !less.split(',').any(|gone| gone.trim() == *word));
    Ok(words.join(","))
}

fn refusal(error: ConfigError) -> Refusal {
    let code = match &error {
        ConfigError::Null { .. } | ConfigError::Twice { .. } => ErrorCode::INVALID_REQUEST,
        ConfigError::Unknown { .. } | ConfigError::Value { .. } | ConfigError::Conflict { .. } => ErrorCode::INVALID_CONFIG,
    };
    (code, error.to_string())
}
