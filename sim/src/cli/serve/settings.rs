//! What a server is to be, from the places where people say it: the file, the environment, the command line, in this order, so that
//! what is said later overrules what was said before.

use std::path::Path;

use brokerlab::node::properties::{self, Place, Setting, Settings};
use brokerlab::node::server;
use miette::{IntoDiagnostic, WrapErr, miette};

use super::Serve;

/// All settings, checked. Tells those that have no effect.
///
/// # Errors
/// The first that is wrong, with its place and the nearest right one.
pub fn gather(serve: &Serve) -> miette::Result<Settings> {
    let mut settings = match &serve.config {
        Some(path) => read(path)?,
        None => Settings::new(),
    };
    if serve.env {
        settings.extend(properties::from_environment(std::env::vars()));
    }
    settings.extend(serve.set.iter().map(|(key, value)| flag(&format!("--set {key}={value}"), key, value)));
    settings.extend(flags(serve));
    for key in server::check(&settings).map_err(|error| miette!("{error}"))? {
        tracing::warn!("{key} has no effect here");
    }
    Ok(settings)
}

fn read(path: &Path) -> miette::Result<Settings> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).into_diagnostic().wrap_err_with(|| format!("cannot read {name}"))?;
    properties::parse(&name, &text).map_err(|error| miette!("{error}"))
}

fn flag(words: &str, key: &str, value: &str) -> (String, Setting) {
    (key.to_owned(), Setting { value: value.to_owned(), place: Place::Flag(words.to_owned()) })
}

/// Flags that are short for properties.
fn flags(serve: &Serve) -> Vec<(String, Setting)> {
    let mut flags = Vec::new();
    if let Some(id) = &serve.node_id {
        flags.push(flag(&format!("--node-id {id}"), "node.id", &id.to_string()));
    }
    if let Some(controller) = &serve.controller {
        let key = "controller.quorum.bootstrap.servers";
        flags.push(flag(&format!("--controller {controller}"), key, controller));
    }
    if let Some(roles) = &serve.process_roles {
        flags.push(flag(&format!("--process-roles {roles}"), "process.roles", roles));
    }
    if let Some(data) = &serve.data {
        let data = data.display().to_string();
        flags.push(flag(&format!("--data {data}"), "log.dirs", &data));
    }
    if let Some(advertise) = &serve.advertise {
        let value = format!("PLAINTEXT://{advertise}");
        flags.push(flag(&format!("--advertise {advertise}"), "advertised.listeners", &value));
    }
    flags
}

/// Completes what was said of one process of a cluster: `--node-id` and `--controller` make a broker, `--listen` is for the role it has.
pub fn of_process(serve: &Serve, settings: &mut Settings) {
    if serve.node_id.is_some() && !settings.contains_key("process.roles") {
        settings.extend([flag("--node-id", "process.roles", "broker")]);
    }
    let roles = settings.get("process.roles").map_or("", |roles| &roles.value).to_owned();
    let (broker, controller) = (roles.contains("broker"), roles.contains("controller"));
    if let Some(listen) = &serve.listen {
        let own = format!("{}://{listen}", if broker { "PLAINTEXT" } else { "CONTROLLER" });
        // Whoever is both says in `listeners` where the controller is; else it is the next port.
        let (host, port) = (&listen.host, if listen.port == 0 { 0 } else { listen.port.wrapping_add(1) });
        let value = if broker && controller { format!("{own},CONTROLLER://{host}:{port}") } else { own };
        settings.extend([flag(&format!("--listen {listen}"), "listeners", &value)]);
    }
    // Broker and controller in one process are mostly alone; Kafka's own file for that case says the same.
    if broker && controller && !settings.contains_key(OFFSETS_COPIES) {
        settings.extend([flag("--process-roles", OFFSETS_COPIES, "1")]);
    }
}

/// How many copies of committed offsets there are.
const OFFSETS_COPIES: &str = "offsets.topic.replication.factor";
