//! What brokers and controller answer each other, how long they take, and what strikes them.

use std::sync::Arc;

use brokerlab::types::*;
use brokerlab_reports::event::{Delivery, EventId, NodeId, Tap, What, WorldFact};

use super::{History, ORDERS, id, node};

impl History {
    /// A fault strikes a node.
    pub fn strike(&mut self, name: &str, kind: &str) -> &mut History {
        let (fault, kind, nodes) = (Arc::from("f1"), Arc::from(kind), vec![NodeId(node(name) as u16)]);
        self.world(name, WorldFact::FaultBegan { fault, kind, nodes })
    }

    /// A request was answered after so many seconds, of those it was allowed to wait.
    pub fn waited(&mut self, name: &str, waited: u64, allowed: u64) -> &mut History {
        let (request, waited, allowed) = (self.last_event(), Duration::secs(waited), Duration::secs(allowed));
        self.event(Some(name), What::Tap(Tap::Waited { request, waited, allowed, answered: true }))
    }

    /// The controller answers a leader that asked for another ISR on top of a partition epoch.
    pub fn answer_isr(&mut self, leader: &str, epochs: (i32, i32), members: &[&str], error: i16) -> &mut History {
        let (broker, broker_epoch) = (id(leader), self.brokers[node(leader)].broker_epoch);
        let (leader_epoch, partition_epoch) = (LeaderEpoch(epochs.0), PartitionEpoch(epochs.1));
        let (partition, isr) = (ORDERS, members.iter().map(|member| id(member)).collect());
        let request = self.deliver("c1");
        let tap = Tap::IsrChangeAnswered { partition, broker, broker_epoch, leader_epoch, partition_epoch, isr, error, request };
        self.event(Some("c1"), What::Tap(tap))
    }

    /// Something reaches a node.
    pub fn deliver(&mut self, name: &str) -> EventId {
        self.event(Some(name), What::Delivered(Delivery::Woken)).last_event()
    }

    /// The controller answers a heartbeat that was sent under this registration and reached it at an event.
    pub fn answer_heartbeat(&mut self, name: &str, broker_epoch: i64, request: EventId, error: i16) -> &mut History {
        let (broker, broker_epoch) = (id(name), BrokerEpoch(broker_epoch));
        self.event(Some("c1"), What::Tap(Tap::StaleHeartbeatAnswered { broker, broker_epoch, error, request }))
    }

    /// A broker gives a producer id away.
    pub fn give_id(&mut self, name: &str, id: i64, to: &str) -> &mut History {
        let producer = NodeId(node(to) as u16);
        self.event(Some(name), What::Tap(Tap::ProducerIdGiven { id: ProducerId(id), epoch: ProducerEpoch(0), producer }))
    }
}
