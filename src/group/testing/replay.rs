//! After any sequence of requests the state of a coordinator is what its log says (G7), and everything that waits is answered.

use proptest::prelude::*;

use crate::group::GroupConfig;
use crate::group::shard::Shard;
use crate::types::{Duration, Offset};

use super::stage::Stage;
use super::{Arguments, Failure};

/// Something that happens.
#[derive(Clone, Debug)]
enum Happening {
    Say(&'static str, &'static str, &'static [(&'static str, &'static str)]),
    Wait(u64),
    Refuse(bool),
    Follow(bool),
    FailOver { lose_uncommitted: bool },
}

fn happening() -> impl Strategy<Value = Happening> {
    let client = prop::sample::select(vec!["A", "B", "C"]);
    let plain = prop::sample::select(vec!["join", "join", "join", "sync", "sync", "beat", "leave"]);
    let said = (plain, client.clone()).prop_map(|(what, who)| Happening::Say(what, who, &[]));
    let assigns = client.clone().prop_map(|who| Happening::Say("sync", who, &[("A", "orders-0"), ("B", "orders-1")]));
    let statics = client.clone().prop_map(|who| Happening::Say("join", who, &[("instance", "i"), ("id", "none")]));
    let commits = client.clone().prop_map(|who| Happening::Say("commit", who, &[("orders-0", "5"), ("orders-1", "7")]));
    let hears = (prop::sample::select(vec!["joins", "joins", "beats", "owns", "owns", "leaves"]), client.clone());
    let hears = hears.prop_map(|(what, who)| match what {
        "joins" => Happening::Say("hear-joins", who, &[("group", "h")]),
        "owns" => Happening::Say("hear", who, &[("group", "h"), ("owns", "all")]),
        "leaves" => Happening::Say("hear", who, &[("group", "h"), ("epoch", "-1")]),
        _ => Happening::Say("hear", who, &[("group", "h")]),
    });
    let mixes = client.clone().prop_map(|who| Happening::Say("hear-joins", who, &[]));
    let admin = prop::sample::select(vec![
        Happening::Say("commit", "admin", &[("orders-0", "1")]),
        Happening::Say("delete", "admin", &[]),
        Happening::Say("forget", "orders-0", &[]),
    ]);
    prop_oneof![
        8 => said,
        3 => assigns,
        2 => statics,
        6 => hears,
        1 => mixes,
        3 => commits,
        2 => admin,
        3 => (0u64..12).prop_map(Happening::Wait),
        1 => any::<bool>().prop_map(Happening::Refuse),
        2 => any::<bool>().prop_map(Happening::Follow),
        1 => any::<bool>().prop_map(|lose_uncommitted| Happening::FailOver { lose_uncommitted }),
    ]
}

impl Stage {
    fn happens(&mut self, happening: &Happening) -> Result<(), Failure> {
        match happening {
            Happening::Say(what, who, keyed) => {
                let known = |(key, _): &&(&str, &str)| key.len() > 1 || self.member_ids.contains_key(*key);
                let keyed = keyed.iter().filter(known).map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
                let mut arguments = Arguments { plain: vec![(*who).to_owned()], keyed };
                match *what {
                    "hear" => self.hear(&arguments)?,
                    "hear-joins" => {
                        arguments.plain.push("joins".to_owned());
                        self.hear(&arguments)?;
                    }
                    "join" => self.join(&arguments)?,
                    "sync" => self.sync(&arguments)?,
                    "beat" => self.beat(&arguments)?,
                    "leave" => self.leave(&arguments)?,
                    "commit" => self.commit(&arguments)?,
                    "forget" => self.forget(&arguments)?,
                    _ => self.ask("admin", "deletes", 2, super::GroupRequest::Delete(arguments.group())),
                }
            }
            Happening::Wait(secs) if *secs == 11 => self.set_topic("orders", 7),
            Happening::Wait(secs) => self.wait(Duration::secs(*secs)),
            Happening::Refuse(refuses) => {
                self.log.refusal = refuses.then_some(crate::wire::ErrorCode::NOT_ENOUGH_REPLICAS);
            }
            Happening::Follow(follows) => {
                self.follows = *follows;
                self.step(|_, _| ());
            }
            Happening::FailOver { lose_uncommitted } => {
                let end = self.high_watermark;
                self.fail_over(lose_uncommitted.then_some(end));
                while self.load() {}
                assert!(self.asked.is_empty(), "who waited for the old coordinator has heard of its end");
            }
        }
        Ok(())
    }

    /// What the log says: the state of a shard that reads it now.
    fn replayed(&self) -> Shard {
        let end = self.log.end;
        let partition = self.shard.as_ref().expect("it has begun").partition;
        let mut shard = Shard::new(partition, self.epoch, (Offset::ZERO, end), GroupConfig::default(), 0);
        self.log.records.iter().for_each(|(at, record)| shard.replay(record, *at));
        shard
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn the_state_is_the_replay_of_the_log(happenings in prop::collection::vec(happening(), 1..60)) {
        let mut stage = Stage::default();
        stage.set_topic("orders", 5);
        stage.fail_over(None);
        for happening in &happenings {
            stage.happens(happening).expect("a script could say it");
            let replayed = stage.replayed();
            let shard = stage.shard.as_ref().expect("it has begun");
            prop_assert_eq!(shard.durable(), replayed.durable());
        }
        // Nothing waits for ever: the log goes on, time passes.
        stage.log.refusal = None;
        stage.follows = true;
        while stage.load() {}
        stage.wait(Duration::secs(1000));
        prop_assert!(stage.asked.is_empty(), "somebody waits for ever");
    }
}
