//! Each row of the network's table, as one test.
#![allow(clippy::unwrap_used)]

use brokerlab::actor::CloseReason;
use brokerlab::types::{Duration, Time};
use bytes::Bytes;

use super::surgery::{Rule, Struck};
use super::weather::Weather;
use super::*;
use crate::scenario::model::Fate;
use crate::scenario::model::Network as Climate;
use crate::world::chance::Chance;
use crate::world::heap::Heap;

const A: Host = Host(0);
const B: Host = Host(1);
const LABEL: Label = Label { api_key: 1, response: false };
const REQUEST: Label = Label { api_key: 56, response: false };
const RESPONSE: Label = Label { api_key: 56, response: true };
/// The event in which the fault of [`rule`] began.
const FAULT: u64 = 77;

/// The first request of that API.
fn rule(fate: Fate) -> Rule {
    Rule { fault: FAULT, apis: vec![56], responses: false, from: None, to: None, spared: 0, count: 1, fate }
}

/// Two hosts with power, the second listening, and everything that processes heard.
struct Bench {
    fabric: Fabric,
    heap: Heap<Signal>,
    now: Time,
    heard: Vec<(Time, Socket, News)>,
}

impl Bench {
    fn new() -> Bench {
        Bench::with(Climate { split_one_in: 0, tail_one_in: 0, ..Climate::default() })
    }

    fn with(climate: Climate) -> Bench {
        let weather = Weather::new(Chance::new(5), climate, 2);
        let mut fabric = Fabric::new(weather, 2);
        fabric.power_on(A, Time::ZERO);
        fabric.power_on(B, Time::ZERO);
        fabric.listen(B);
        Bench { fabric, heap: Heap::new(), now: Time::ZERO, heard: Vec::new() }
    }

    /// Lets everything happen that happens until then.
    fn until(&mut self, then: Time) {
        let mut later = Vec::new();
        loop {
            self.fabric.schedule.drain(..).for_each(|(at, signal)| self.heap.push(at, signal));
            let Some((at, signal)) = self.heap.pop() else { break };
            if at > then {
                later.push((at, signal));
                continue;
            }
            self.now = at;
            self.fabric.on_signal(signal, at);
            self.heard.extend(self.fabric.notices.drain(..).map(|notice| (at, notice.socket, notice.news)));
        }
        later.into_iter().for_each(|(at, signal)| self.heap.push(at, signal));
        self.now = then;
    }

    fn wait(&mut self, span: Duration) {
        self.until(self.now.plus(span));
    }

    fn connected() -> (Bench, Socket) {
        let mut bench = Bench::new();
        let socket = bench.fabric.connect(A, B, 0, bench.now);
        bench.wait(Duration::millis(10));
        assert_eq!(bench.news(socket), [News::Opened]);
        assert_eq!(bench.news(socket.peer()), [News::Accepted]);
        bench.heard.clear();
        (bench, socket)
    }

    fn news(&self, socket: Socket) -> Vec<News> {
        self.heard.iter().filter(|(_, at, _)| *at == socket).map(|(_, _, news)| *news).collect()
    }

    fn send(&mut self, from: Socket, bytes: &'static [u8]) -> usize {
        self.fabric.send(from, &Bytes::from_static(bytes), LABEL, 0, self.now)
    }

    /// Sends bytes as one frame.
    fn frame(&mut self, from: Socket, label: Label, bytes: &'static [u8]) -> Vec<Struck> {
        let struck = self.fabric.begin_frame(from, label, 0, self.now);
        let taken = self.fabric.send(from, &Bytes::from_static(bytes), label, 0, self.now);
        assert_eq!(taken, bytes.len());
        self.fabric.end_frame(from, 0, self.now);
        struck
    }

    fn read_all(&mut self, at: Socket) -> Vec<u8> {
        let mut all = Vec::new();
        while let Read::Bytes(bytes) = self.fabric.read(at, self.now) {
            all.extend_from_slice(&bytes);
        }
        all
    }

    fn read(&mut self, at: Socket) -> Read {
        self.fabric.read(at, self.now)
    }
}

#[test]
fn connect_through_a_cut_hangs_then_times_out() {
    let mut bench = Bench::new();
    bench.fabric.cut(A, B, 1, bench.now);
    let socket = bench.fabric.connect(A, B, 0, bench.now);
    bench.wait(Duration::millis(9_999));
    assert_eq!(bench.news(socket), []);
    bench.wait(Duration::millis(1));
    assert_eq!(bench.news(socket), [News::Ended(CloseReason::TimedOut)]);
}

#[test]
fn connect_whose_answer_is_cut_off_hangs_then_times_out() {
    let mut bench = Bench::new();
    bench.fabric.cut(B, A, 1, bench.now);
    let socket = bench.fabric.connect(A, B, 0, bench.now);
    bench.wait(CONNECT_LIMIT);
    assert_eq!(bench.news(socket), [News::Ended(CloseReason::TimedOut)]);
    assert_eq!(bench.news(socket.peer()), [News::Accepted]);
    bench.fabric.heal(B, A, bench.now);
    bench.wait(Duration::secs(5));
    assert_eq!(bench.news(socket.peer()), [News::Accepted, News::Ended(CloseReason::Reset)], "a half-open connection is reset");
}

#[test]
fn connect_to_a_host_without_power_hangs_then_times_out() {
    let mut bench = Bench::new();
    bench.fabric.power_off(B, 1, bench.now);
    let socket = bench.fabric.connect(A, B, 0, bench.now);
    bench.wait(CONNECT_LIMIT);
    assert_eq!(bench.news(socket), [News::Ended(CloseReason::TimedOut)]);
}

#[test]
fn connect_goes_on_when_the_cut_heals_in_time() {
    let mut bench = Bench::new();
    bench.fabric.cut(A, B, 1, bench.now);
    let socket = bench.fabric.connect(A, B, 0, bench.now);
    bench.wait(Duration::secs(2));
    bench.fabric.heal(A, B, bench.now);
    bench.wait(Duration::millis(900));
    assert_eq!(bench.news(socket), [], "it waits for the next retransmission, 3 s after the first try");
    bench.wait(Duration::millis(200));
    assert_eq!(bench.news(socket), [News::Opened]);
}

#[test]
fn connect_where_nobody_listens_is_refused_after_one_round_trip() {
    let mut bench = Bench::new();
    bench.fabric.kill(B, 0, bench.now);
    let socket = bench.fabric.connect(A, B, 0, bench.now);
    bench.wait(Duration::micros(599));
    assert_eq!(bench.news(socket), []);
    bench.wait(Duration::millis(1));
    assert_eq!(bench.news(socket), [News::Ended(CloseReason::Refused)]);
}

#[test]
fn write_is_bounded_by_a_window_and_a_slow_reader_pushes_back() {
    static BIG: [u8; WINDOW] = [7; WINDOW];
    let (mut bench, socket) = Bench::connected();
    assert_eq!(bench.send(socket, &BIG[..WINDOW - 10]), WINDOW - 10);
    assert_eq!(bench.send(socket, b"0123456789abcdef"), 10);
    assert_eq!(bench.send(socket, b"x"), 0);
    bench.wait(Duration::secs(20));
    assert_eq!(bench.news(socket), [], "nobody has read");
    assert_eq!(bench.read_all(socket.peer()).len(), WINDOW);
    assert_eq!(bench.news(socket), [], "the credit has to travel");
    bench.wait(Duration::millis(1));
    assert_eq!(bench.news(socket), [News::Writable]);
    assert_eq!(bench.send(socket, b"abcdef"), 6);
}

#[test]
fn read_may_be_split_anywhere_and_loses_nothing() {
    let mut bench = Bench::with(Climate { split_one_in: 2, ..Climate::default() });
    let socket = bench.fabric.connect(A, B, 0, bench.now);
    bench.wait(Duration::millis(50));
    let mut expected = Vec::new();
    for i in 0..200u8 {
        let frame = vec![i; 1 + usize::from(i % 40)];
        expected.extend_from_slice(&frame);
        bench.fabric.send(socket, &Bytes::from(frame), LABEL, 0, bench.now);
        bench.wait(Duration::micros(100));
    }
    bench.wait(Duration::secs(1));
    let arrivals = bench.news(socket.peer()).len();
    assert!(arrivals > 250, "{arrivals} pieces");
    assert_eq!(bench.read_all(socket.peer()), expected);
}

#[test]
fn cut_freezes_what_is_queued_and_in_flight_and_healing_resumes_it_in_order() {
    let (mut bench, socket) = Bench::connected();
    bench.send(socket, b"in flight ");
    bench.fabric.cut(A, B, 9, bench.now);
    bench.send(socket, b"queued");
    bench.wait(Duration::secs(2));
    assert_eq!(bench.read(socket.peer()), Read::Empty);
    bench.fabric.heal(A, B, bench.now);
    bench.wait(Duration::millis(900));
    assert_eq!(bench.read(socket.peer()), Read::Empty, "the next retransmission is 3 s after the cut");
    bench.wait(Duration::millis(200));
    assert_eq!(bench.read_all(socket.peer()), b"in flight queued");
    assert_eq!(bench.fabric.take_held(socket.peer()), 9);
}

#[test]
fn cut_is_per_direction() {
    let (mut bench, socket) = Bench::connected();
    bench.fabric.cut(A, B, 1, bench.now);
    bench.send(socket, b"lost for now");
    bench.send(socket.peer(), b"arrives");
    bench.wait(Duration::secs(1));
    assert_eq!(bench.read_all(socket), b"arrives");
    assert_eq!(bench.read(socket.peer()), Read::Empty);
}

#[test]
fn cut_freezes_fin_too() {
    let (mut bench, socket) = Bench::connected();
    bench.fabric.close(socket, 0, bench.now);
    bench.fabric.cut(A, B, 1, bench.now);
    bench.wait(Duration::secs(30));
    assert_eq!(bench.news(socket.peer()), [], "no end of file through a cut");
    bench.fabric.heal(A, B, bench.now);
    bench.wait(Duration::secs(4));
    assert_eq!(bench.read(socket.peer()), Read::Finished { cause: 0 });
}

#[test]
fn cut_that_lasts_makes_the_sender_give_up_and_only_him() {
    let (mut bench, socket) = Bench::connected();
    bench.fabric.cut(A, B, 1, bench.now);
    bench.wait(Duration::secs(100));
    assert_eq!(bench.heard, [], "who says nothing learns nothing");
    bench.send(socket, b"x");
    bench.wait(GIVE_UP);
    assert_eq!(bench.news(socket), [News::Ended(CloseReason::TimedOut)]);
    assert_eq!(bench.news(socket.peer()), [], "the other end is half-open");
    bench.fabric.heal(A, B, bench.now);
    bench.send(socket.peer(), b"still there?");
    bench.wait(Duration::secs(1));
    assert_eq!(bench.news(socket.peer()), [News::Ended(CloseReason::Reset)]);
}

#[test]
fn process_crash_sends_what_the_kernel_has_and_then_fin() {
    let (mut bench, socket) = Bench::connected();
    bench.send(socket, b"last words");
    bench.fabric.kill(A, 3, bench.now);
    bench.wait(Duration::millis(10));
    assert_eq!(bench.read_all(socket.peer()), b"last words");
    assert_eq!(bench.read(socket.peer()), Read::Finished { cause: 3 });
}

#[test]
fn process_crash_with_unread_bytes_is_a_reset() {
    let (mut bench, socket) = Bench::connected();
    bench.send(socket, b"never read");
    bench.wait(Duration::millis(10));
    bench.fabric.kill(B, 3, bench.now);
    bench.wait(Duration::millis(10));
    assert_eq!(bench.news(socket), [News::Ended(CloseReason::Reset)]);
}

#[test]
fn process_crash_is_not_heard_through_a_cut() {
    let (mut bench, socket) = Bench::connected();
    bench.fabric.cut(B, A, 1, bench.now);
    bench.fabric.kill(B, 0, bench.now);
    bench.wait(Duration::secs(30));
    assert_eq!(bench.news(socket), []);
}

#[test]
fn power_loss_is_silence_until_the_senders_own_time_out() {
    let (mut bench, socket) = Bench::connected();
    bench.fabric.power_off(B, 4, bench.now);
    bench.wait(Duration::secs(1));
    bench.send(socket, b"anybody?");
    bench.wait(Duration::secs(59));
    assert_eq!(bench.news(socket), []);
    bench.wait(Duration::secs(1));
    assert_eq!(bench.news(socket), [News::Ended(CloseReason::TimedOut)]);
}

#[test]
fn power_loss_is_answered_with_reset_by_the_next_incarnation() {
    let (mut bench, socket) = Bench::connected();
    bench.fabric.power_off(B, 4, bench.now);
    bench.send(socket, b"anybody?");
    bench.wait(Duration::secs(2));
    bench.fabric.power_on(B, bench.now);
    bench.wait(Duration::secs(2));
    assert_eq!(bench.news(socket), [News::Ended(CloseReason::Reset)]);
}

#[test]
fn power_loss_lets_arrive_what_already_travels_but_not_what_is_stuck() {
    let (mut bench, socket) = Bench::connected();
    bench.send(socket, b"on the wire");
    bench.fabric.power_off(A, 4, bench.now);
    bench.wait(Duration::millis(10));
    assert_eq!(bench.read_all(socket.peer()), b"on the wire");
    let (mut bench, socket) = Bench::connected();
    bench.fabric.cut(A, B, 1, bench.now);
    bench.send(socket, b"stuck");
    bench.fabric.power_off(A, 4, bench.now);
    bench.fabric.heal(A, B, bench.now);
    bench.wait(Duration::secs(100));
    assert_eq!(bench.read(socket.peer()), Read::Empty);
}

#[test]
fn pause_lets_the_kernel_take_bytes_up_to_the_window() {
    static BIG: [u8; WINDOW + 1] = [7; WINDOW + 1];
    let (mut bench, socket) = Bench::connected();
    assert_eq!(bench.send(socket, &BIG), WINDOW, "a frozen process reads nothing, its kernel takes these");
    bench.wait(Duration::secs(300));
    assert_eq!(bench.news(socket), [], "and nobody hears that anything is wrong");
    assert_eq!(bench.read_all(socket.peer()).len(), WINDOW);
}

#[test]
fn half_close_is_not_close() {
    let (mut bench, socket) = Bench::connected();
    bench.fabric.finish(socket, 6, bench.now);
    bench.wait(Duration::millis(10));
    assert_eq!(bench.read(socket.peer()), Read::Finished { cause: 6 });
    bench.send(socket.peer(), b"you can still hear me");
    bench.wait(Duration::millis(10));
    assert_eq!(bench.read_all(socket), b"you can still hear me");
}

#[test]
fn close_with_unread_data_is_a_reset() {
    let (mut bench, socket) = Bench::connected();
    bench.send(socket.peer(), b"unread");
    bench.wait(Duration::millis(10));
    bench.fabric.close(socket, 0, bench.now);
    bench.wait(Duration::millis(10));
    assert_eq!(bench.news(socket.peer()), [News::Ended(CloseReason::Reset)]);
}

#[test]
fn close_is_an_end_of_file_and_writing_to_it_is_a_reset() {
    let (mut bench, socket) = Bench::connected();
    bench.fabric.close(socket, 0, bench.now);
    bench.wait(Duration::millis(10));
    assert_eq!(bench.read(socket.peer()), Read::Finished { cause: 0 });
    bench.send(socket.peer(), b"too late");
    bench.wait(Duration::millis(10));
    assert_eq!(bench.news(socket.peer()), [News::Readable, News::Ended(CloseReason::Reset)]);
}

#[test]
fn latency_of_a_slow_link_is_added_and_named() {
    let (mut bench, socket) = Bench::connected();
    bench.fabric.slow(A, B, Duration::millis(100), 8);
    bench.send(socket, b"late");
    bench.wait(Duration::millis(100));
    assert_eq!(bench.read(socket.peer()), Read::Empty);
    bench.wait(Duration::millis(1));
    assert_eq!(bench.read_all(socket.peer()), b"late");
    assert_eq!(bench.fabric.take_held(socket.peer()), 8);
}

#[test]
fn bandwidth_makes_what_is_large_delay_what_comes_behind_on_every_connection() {
    static BIG: [u8; 10_000] = [7; 10_000];
    let (mut bench, first) = Bench::connected();
    let second = bench.fabric.connect(A, B, 0, bench.now);
    bench.wait(Duration::millis(10));
    bench.fabric.narrow(A, Some(B), 100_000, 8);
    bench.send(first, &BIG);
    bench.send(second, b"heartbeat");
    bench.send(second.peer(), b"the other direction is free");
    bench.wait(Duration::millis(100));
    assert_eq!((bench.read(first.peer()), bench.read(second.peer())), (Read::Empty, Read::Empty));
    assert_eq!(bench.read_all(second), b"the other direction is free");
    bench.wait(Duration::millis(3));
    assert_eq!((bench.read_all(first.peer()).len(), bench.read_all(second.peer()).as_slice()), (10_000, b"heartbeat".as_slice()));
    assert_eq!(bench.fabric.take_held(second.peer()), 8);
}

#[test]
fn bandwidth_that_comes_back_lets_go_at_once_what_waited_for_it() {
    static BIG: [u8; 10_000] = [7; 10_000];
    let (mut bench, socket) = Bench::connected();
    bench.fabric.narrow(A, None, 10, 8);
    bench.send(socket, &BIG);
    bench.wait(Duration::secs(30));
    assert_eq!(bench.read(socket.peer()), Read::Empty, "a thousand seconds at ten bytes per second");
    bench.fabric.widen(A, None, 8, bench.now);
    bench.send(socket, b"and more");
    bench.wait(Duration::millis(1));
    assert_eq!(bench.read_all(socket.peer()).len(), 10_008);
}

#[test]
fn hold_stops_the_frame_and_what_comes_behind_it_but_not_what_went_before() {
    let (mut bench, socket) = Bench::connected();
    bench.fabric.operate(Rule { spared: 1, ..rule(Fate::Hold) });
    assert_eq!(bench.frame(socket, REQUEST, b"first "), []);
    assert_eq!(bench.frame(socket, LABEL, b"another api "), []);
    assert_eq!(bench.frame(socket, REQUEST, b"second "), [Struck { fault: FAULT, fate: Fate::Hold }]);
    assert_eq!(bench.frame(socket, REQUEST, b"third"), []);
    bench.wait(Duration::secs(100));
    assert_eq!(bench.read_all(socket.peer()), b"first another api ");
    assert_eq!(bench.news(socket), [], "nobody gives up: somebody on the way has taken it in");
    bench.fabric.lift(FAULT, bench.now);
    bench.wait(Duration::millis(1));
    assert_eq!(bench.read_all(socket.peer()), b"second third");
    assert_eq!(bench.fabric.take_held(socket.peer()), FAULT);
}

#[test]
fn hold_outlives_its_connection_the_old_request_arrives_after_the_new_one() {
    let (mut bench, old) = Bench::connected();
    bench.fabric.operate(rule(Fate::Hold));
    bench.frame(old, REQUEST, b"old");
    bench.wait(Duration::secs(5));
    bench.fabric.close(old, 0, bench.now);
    let new = bench.fabric.connect(A, B, 0, bench.now);
    bench.wait(Duration::millis(10));
    bench.frame(new, REQUEST, b"again");
    bench.wait(Duration::millis(10));
    assert_eq!((bench.read_all(new.peer()), bench.read(old.peer())), (b"again".to_vec(), Read::Empty));
    bench.fabric.lift(FAULT, bench.now);
    bench.wait(Duration::millis(10));
    assert_eq!(bench.read_all(old.peer()), b"old");
    assert_eq!(bench.read(old.peer()), Read::Finished { cause: 0 });
}

#[test]
fn hold_outlives_even_the_power_of_the_sender() {
    let (mut bench, socket) = Bench::connected();
    bench.fabric.operate(rule(Fate::Hold));
    bench.frame(socket, REQUEST, b"last words");
    bench.fabric.power_off(A, 4, bench.now);
    bench.wait(Duration::secs(5));
    bench.fabric.lift(FAULT, bench.now);
    bench.wait(Duration::millis(10));
    assert_eq!(bench.read_all(socket.peer()), b"last words");
}

#[test]
fn hold_and_cut_nest() {
    let (mut bench, socket) = Bench::connected();
    bench.fabric.operate(rule(Fate::Hold));
    bench.frame(socket, REQUEST, b"held");
    bench.fabric.cut(A, B, 9, bench.now);
    bench.fabric.lift(FAULT, bench.now);
    bench.wait(Duration::secs(2));
    assert_eq!(bench.read(socket.peer()), Read::Empty);
    bench.fabric.heal(A, B, bench.now);
    bench.wait(Duration::secs(4));
    assert_eq!(bench.read_all(socket.peer()), b"held");
}

#[test]
fn delay_holds_up_one_frame_and_the_stream_behind_it() {
    let (mut bench, socket) = Bench::connected();
    bench.fabric.operate(rule(Fate::Delay(Duration::millis(500))));
    bench.frame(socket, REQUEST, b"late ");
    bench.frame(socket, LABEL, b"behind");
    bench.wait(Duration::millis(500));
    assert_eq!(bench.read(socket.peer()), Read::Empty);
    bench.wait(Duration::millis(1));
    assert_eq!(bench.read_all(socket.peer()), b"late behind");
    bench.frame(socket, REQUEST, b"in time");
    bench.wait(Duration::millis(1));
    assert_eq!(bench.read_all(socket.peer()), b"in time");
}

#[test]
fn sever_before_loses_the_frame_and_resets_both_ends() {
    let (mut bench, socket) = Bench::connected();
    bench.fabric.operate(Rule { responses: true, ..rule(Fate::SeverBefore) });
    bench.frame(socket, REQUEST, b"question");
    bench.wait(Duration::millis(1));
    assert_eq!(bench.read_all(socket.peer()), b"question");
    bench.heard.clear();
    bench.frame(socket.peer(), RESPONSE, b"answer");
    bench.wait(Duration::millis(1));
    assert_eq!(bench.news(socket), [News::Ended(CloseReason::Reset)]);
    assert_eq!(bench.news(socket.peer()), [News::Ended(CloseReason::Reset)]);
    assert_eq!(bench.read(socket), Read::Empty);
}

#[test]
fn sever_after_lets_the_frame_arrive_and_nothing_else_in_either_direction() {
    let (mut bench, socket) = Bench::connected();
    bench.fabric.operate(rule(Fate::SeverAfter));
    bench.frame(socket, REQUEST, b"question");
    bench.frame(socket, REQUEST, b"next question");
    bench.wait(Duration::micros(700));
    assert_eq!(bench.read_all(socket.peer()), b"question");
    assert_eq!(bench.read(socket.peer()), Read::Finished { cause: 0 });
    bench.frame(socket.peer(), RESPONSE, b"answer");
    bench.wait(Duration::millis(5));
    assert_eq!(bench.news(socket), [News::Ended(CloseReason::Reset)]);
    assert_eq!(bench.read(socket), Read::Empty);
    assert!(bench.news(socket.peer()).ends_with(&[News::Ended(CloseReason::Reset)]), "{:?}", bench.heard);
}

#[test]
fn rules_pick_by_who_asks_and_who_answers_whatever_direction_the_frame_has() {
    for (from, to, picked) in [(None, None, true), (Some(A), None, true), (Some(A), Some(B), true), (Some(B), None, false)] {
        for responses in [false, true] {
            let (mut bench, socket) = Bench::connected();
            bench.fabric.operate(Rule { from, to, responses, ..rule(Fate::Hold) });
            let struck = match responses {
                false => bench.frame(socket, REQUEST, b"x"),
                true => bench.frame(socket.peer(), RESPONSE, b"x"),
            };
            assert_eq!(!struck.is_empty(), picked, "{from:?} {to:?} {responses}");
        }
    }
}
