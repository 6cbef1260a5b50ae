//! DescribeConfigs: what holds, and why (KIP-133, KIP-226).
//!
//! A topic's property may be set for the topic, else in the broker's file, else it has its default. The answer tells the value in force
//! and, if asked, all candidates in this order, which Kafka calls *synonyms*:
//!
//! ```text
//!   retention.ms = 3600000      from  DYNAMIC_TOPIC_CONFIG   retention.ms     = 3600000
//!                                     STATIC_BROKER_CONFIG   log.retention.ms = 86400000
//!   segment.bytes = 1073741824  from  DEFAULT_CONFIG         log.segment.bytes = 1073741824
//! ```
//!
//! Every property there is, set or not, is in the answer: tools show what can be configured by it. A broker tells of itself only.

use crate::controller::topics::check_topic_name;
use crate::controller::{Property, TopicConfig, ValueKind};
use crate::types::BrokerId;
use crate::wire::describe_configs_request::DescribeConfigsResource;
use crate::wire::describe_configs_response::{DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym};
use crate::wire::list_config_resources_response::ConfigResource;
use crate::wire::{
    DescribeConfigsRequest, DescribeConfigsResponse, ErrorCode, ListConfigResourcesRequest, ListConfigResourcesResponse,
};

use super::BrokerActor;
use super::config::BrokerConfig;
use super::config_values::{BrokerValue, broker_values, fallback};
use super::reply::{Caller, Step};

/// Resource type of topics.
const TOPIC: i8 = 2;
/// Resource type of brokers.
const BROKER: i8 = 4;

/// Where a value comes from, with Kafka's number for it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Topic = 1,
    BrokerFile = 4,
    Default = 5,
}

/// What cannot be told: a code, and a sentence for people.
type Refusal = (ErrorCode, String);

impl BrokerActor {
    /// Answers DescribeConfigs.
    pub(super) fn on_describe_configs(&mut self, caller: Caller, request: &DescribeConfigsRequest, step: &mut Step<'_>) {
        let describe = |resource: &DescribeConfigsResource| {
            let mut result = DescribeConfigsResult {
                resource_type: resource.resource_type,
                resource_name: resource.resource_name.clone(),
                error_message: None,
                ..DescribeConfigsResult::default()
            };
            match self.configs_of(resource) {
                Ok(configs) => result.configs = configs,
                Err((error, message)) => (result.error_code, result.error_message) = (error.code(), Some(message)),
            }
            // Nobody asked for these: no key is no wish, as in Kafka.
            if let Some(keys) = resource.configuration_keys.as_ref().filter(|keys| !keys.is_empty()) {
                result.configs.retain(|config| keys.contains(&config.name));
            }
            if !request.include_synonyms {
                result.configs.iter_mut().for_each(|config| config.synonyms.clear());
            }
            result
        };
        let results = request.resources.iter().map(describe).collect();
        caller.answer(DescribeConfigsResponse { results, ..DescribeConfigsResponse::default() }, step.out);
    }

    /// Answers ListConfigResources: topics and brokers have configurations, nothing else so far.
    pub(super) fn on_list_config_resources(&mut self, caller: Caller, request: &ListConfigResourcesRequest, step: &mut Step<'_>) {
        // In version 0 nothing but the metrics of clients can be meant, which there are none of.
        let is_wanted =
            |kind: i8| caller.version > 0 && (request.resource_types.is_empty() || request.resource_types.contains(&kind));
        let known = |kind: &i8| (1..=32).contains(kind) && kind.count_ones() == 1;
        let error = if request.resource_types.iter().all(known) { ErrorCode::NONE } else { ErrorCode::UNSUPPORTED_VERSION };
        let image = self.view.image();
        let topics = image.topics().map(|topic| (TOPIC, topic.name.to_string()));
        let brokers = image.brokers().map(|broker| (BROKER, broker.id.0.to_string()));
        let listed = topics.chain(brokers).filter(|(kind, _)| error.is_none() && is_wanted(*kind));
        let resource =
            |(resource_type, resource_name)| ConfigResource { resource_type, resource_name, ..ConfigResource::default() };
        let response = ListConfigResourcesResponse {
            error_code: error.code(),
            config_resources: listed.map(resource).collect(),
            ..ListConfigResourcesResponse::default()
        };
        caller.answer(response, step.out);
    }

    fn configs_of(&self, resource: &DescribeConfigsResource) -> Result<Vec<DescribeConfigsResourceResult>, Refusal> {
        let name = resource.resource_name.as_str();
        match resource.resource_type {
            TOPIC => match (check_topic_name(name), self.view.image().topic_by_name(name)) {
                (Err(why), _) => Err((ErrorCode::INVALID_TOPIC_EXCEPTION, why)),
                (Ok(()), Some(topic)) => Ok(topic_configs(&self.config, &topic.config)),
                (Ok(()), None) => {
                    let why = "This server does not host this topic-partition.".to_owned();
                    Err((ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, why))
                }
            },
            // What holds for all brokers unless they say otherwise: nothing can be set there.
            BROKER if name.is_empty() => Ok(Vec::new()),
            BROKER if name.parse() == Ok(self.config.id.0) => Ok(broker_configs(&self.config)),
            BROKER => {
                let BrokerId(own) = self.config.id;
                let why = format!("Unexpected broker id, expected {own} or empty string, but received {name}");
                Err((ErrorCode::INVALID_REQUEST, why))
            }
            other => Err((ErrorCode::INVALID_REQUEST, format!("Unsupported resource type: {other}"))),
        }
    }
}

/// Every property of a topic, in order of names.
pub(super) fn topic_configs(broker: &BrokerConfig, topic: &TopicConfig) -> Vec<DescribeConfigsResourceResult> {
    TopicConfig::properties().map(|property| topic_config(broker, topic, property)).collect()
}

fn topic_config(broker: &BrokerConfig, topic: &TopicConfig, property: Property) -> DescribeConfigsResourceResult {
    let own = topic.own(property.name).map(|value| synonym(property.name, value, Source::Topic));
    let fallback = fallback(broker, property.name);
    let file = fallback.as_ref().filter(|value| value.is_set).and_then(|value| told(value, Source::BrokerFile));
    // Told only where the broker has a property for it that is not empty by itself.
    let usual = BrokerConfig::new(broker.id, "", 0, broker.listen.clone(), broker.controller.clone());
    let default = super::config_values::fallback(&usual, property.name).and_then(|value| told(&value, Source::Default));
    let synonyms = own.into_iter().chain(file).chain(default).collect();
    config(property.name, property.kind, Some(property.default), synonyms)
}

fn broker_configs(broker: &BrokerConfig) -> Vec<DescribeConfigsResourceResult> {
    let usual = BrokerConfig::new(broker.id, "", 0, broker.listen.clone(), broker.controller.clone());
    let (values, defaults) = (broker_values(broker), broker_values(&usual));
    let described = |(value, default): (BrokerValue, BrokerValue)| {
        let set = told(&value, Source::BrokerFile).filter(|_| value.is_set);
        // Who we are has no default.
        let default = told(&default, Source::Default).filter(|_| !default.is_set);
        let config = config(value.name, value.kind, None, set.into_iter().chain(default).collect());
        DescribeConfigsResourceResult { read_only: true, ..config }
    };
    values.into_iter().zip(defaults).map(described).collect()
}

fn told(value: &BrokerValue, source: Source) -> Option<DescribeConfigsSynonym> {
    value.value.as_deref().map(|text| synonym(value.name, text, source))
}

fn synonym(name: &str, value: &str, source: Source) -> DescribeConfigsSynonym {
    DescribeConfigsSynonym {
        name: name.to_owned(),
        value: Some(value.to_owned()),
        source: source as i8,
        ..DescribeConfigsSynonym::default()
    }
}

/// The first candidate is the one in force; without any it is the default.
fn config(
    name: &str,
    kind: ValueKind,
    default: Option<&str>,
    synonyms: Vec<DescribeConfigsSynonym>,
) -> DescribeConfigsResourceResult {
    let first = synonyms.first();
    DescribeConfigsResourceResult {
        name: name.to_owned(),
        value: first.map_or(default.map(str::to_owned), |first| first.value.clone()),
        config_source: first.map_or(Source::Default as i8, |first| first.source),
        synonyms,
        config_type: kind as i8,
        documentation: None,
        ..DescribeConfigsResourceResult::default()
    }
}
