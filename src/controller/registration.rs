//! A broker presents itself and gets its broker epoch.
//!
//! The *incarnation* names one life of the process; the *broker epoch* names one life of a registered broker, and is the offset of the
//! record that registered it, so it rises by itself. Whatever a broker says later carries its epoch, and what an earlier life has left
//! in the network is refused by it (KIP-380, KIP-631).
//!
//! ```text
//!   who asks                                   answer
//!   of another cluster                         INCONSISTENT_CLUSTER_ID
//!   another life, while the old one is heard   DUPLICATE_BROKER_REGISTRATION
//!   the same life again (its reply was lost)   the epoch it has (KAFKA-16952)
//!   a new life                                 a new epoch; fenced until it has caught up
//! ```
//!
//! A new life may have lost the tail of its logs with its power, and nobody can tell. So it leaves every ISR and all leaderships with
//! the very batch that registers it, and must catch up under its new epoch to return. Where it is the *last* member of an ISR it stays,
//! without being leader until it is unfenced: no other replica is known to hold more. The epoch of a clean shutdown
//! (`previous_broker_epoch`) is not consulted: a broker that stopped in order has left its ISRs anyway.

use super::state::Controller;
use crate::mutant::Mutant;
use crate::types::{BrokerEpoch, BrokerId, Offset, Time, Uuid};
use crate::wire::broker_registration_request::{BrokerRegistrationRequest, Feature as RequestFeature, Listener};
use crate::wire::metadata::{BrokerEndpoint, BrokerFeature, RegisterBrokerRecord};
use crate::wire::{BrokerRegistrationResponse, ErrorCode};

/// Most listeners, features or directories of a broker: its record must fit into one batch.
const NAMED_MAX: usize = 100;

impl Controller {
    /// A broker asks to be registered.
    pub fn on_register(&mut self, now: Time, request: &BrokerRegistrationRequest) -> BrokerRegistrationResponse {
        match self.register(now, request) {
            Ok(epoch) => BrokerRegistrationResponse { broker_epoch: epoch.0, ..BrokerRegistrationResponse::default() },
            Err(error) => BrokerRegistrationResponse { error_code: error.code(), ..BrokerRegistrationResponse::default() },
        }
    }

    fn register(&mut self, now: Time, request: &BrokerRegistrationRequest) -> Result<BrokerEpoch, ErrorCode> {
        let id = BrokerId(request.broker_id);
        if request.cluster_id != self.config.cluster_id {
            return Err(ErrorCode::INCONSISTENT_CLUSTER_ID);
        }
        let named = [request.listeners.len(), request.features.len(), request.log_dirs.len()];
        if id.0 < 0 || request.listeners.is_empty() || named.into_iter().any(|count| count > NAMED_MAX) {
            return Err(ErrorCode::INVALID_REGISTRATION);
        }
        self.expect_own_directories(id, &request.log_dirs)?;
        match self.image.broker(id).map(|known| known.incarnation) {
            Some(incarnation) if incarnation == request.incarnation_id => Ok(self.register_again(now, request)),
            Some(_) if self.sessions.is_valid(id, now) && self.config.mutants.is(Mutant::RejoinIsrAfterLossyCrash) => {
                Ok(self.register_in_old_seats(now, request))
            }
            Some(_) if self.sessions.is_valid(id, now) => Err(ErrorCode::DUPLICATE_BROKER_REGISTRATION),
            Some(_) | None => Ok(self.register_new_life(now, request)),
        }
    }

    /// A directory belongs to one broker; the same id in two places is a disk copied by mistake.
    fn expect_own_directories(&self, id: BrokerId, directories: &[Uuid]) -> Result<(), ErrorCode> {
        let is_twice = |(i, directory): (usize, &Uuid)| directories[..i].contains(directory);
        let is_others = |directory: &Uuid| self.image.brokers().any(|b| b.id != id && b.directories.contains(directory));
        match directories.iter().enumerate().any(is_twice) || directories.iter().any(is_others) {
            true => Err(ErrorCode::INVALID_REGISTRATION),
            false => Ok(()),
        }
    }

    fn register_again(&mut self, now: Time, request: &BrokerRegistrationRequest) -> BrokerEpoch {
        if self.config.mutants.is(Mutant::NewBrokerEpochOnReregister) {
            self.remark(Mutant::NewBrokerEpochOnReregister.acted());
            return self.register_new_life(now, request);
        }
        let known = self.image.broker(BrokerId(request.broker_id)).expect("its incarnation was compared");
        let (id, epoch) = (known.id, known.epoch);
        let listener = request.listeners.first().expect("checked");
        let is_as_before = known.directories == request.log_dirs
            && (&*known.address.host, known.address.port) == (listener.host.as_str(), listener.port);
        if !is_as_before {
            let (fenced, in_controlled_shutdown) = (known.is_fenced, known.is_shutting_down);
            self.write(RegisterBrokerRecord { fenced, in_controlled_shutdown, ..record(request, epoch) });
        }
        self.sessions.touch(id, now, Offset(-1));
        epoch
    }

    fn register_new_life(&mut self, now: Time, request: &BrokerRegistrationRequest) -> BrokerEpoch {
        self.leave_isrs(BrokerId(request.broker_id));
        self.register_in_isrs(now, request)
    }

    /// Planted bug: a broker that is back before anybody has missed it goes on where its former life has ended.
    fn register_in_old_seats(&mut self, now: Time, request: &BrokerRegistrationRequest) -> BrokerEpoch {
        self.remark(Mutant::RejoinIsrAfterLossyCrash.acted());
        self.register_in_isrs(now, request)
    }

    fn register_in_isrs(&mut self, now: Time, request: &BrokerRegistrationRequest) -> BrokerEpoch {
        let id = BrokerId(request.broker_id);
        let epoch = BrokerEpoch(self.image.end().0);
        self.write(record(request, epoch));
        self.sessions.end(id);
        self.sessions.touch(id, now, Offset(-1));
        assert!(!self.image.is_active(id), "a new life begins fenced");
        epoch
    }
}

fn record(request: &BrokerRegistrationRequest, epoch: BrokerEpoch) -> RegisterBrokerRecord {
    RegisterBrokerRecord {
        broker_id: request.broker_id,
        incarnation_id: request.incarnation_id,
        broker_epoch: epoch.0,
        end_points: request.listeners.iter().map(end_point).collect(),
        features: request.features.iter().map(feature).collect(),
        rack: request.rack.clone(),
        fenced: true,
        log_dirs: request.log_dirs.clone(),
        ..RegisterBrokerRecord::default()
    }
}

fn end_point(listener: &Listener) -> BrokerEndpoint {
    BrokerEndpoint {
        name: listener.name.clone(),
        host: listener.host.clone(),
        port: listener.port,
        security_protocol: listener.security_protocol,
        ..BrokerEndpoint::default()
    }
}

fn feature(feature: &RequestFeature) -> BrokerFeature {
    BrokerFeature {
        name: feature.name.clone(),
        min_supported_version: feature.min_supported_version,
        max_supported_version: feature.max_supported_version,
        ..BrokerFeature::default()
    }
}
