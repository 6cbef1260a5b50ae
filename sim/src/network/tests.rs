//! Each row of the network's table, as one test.
#![allow(clippy::unwrap_used)]

use brokerlab::actor::CloseReason;
use brokerlab::types::{Duration, Time};
use bytes::Bytes;

use super::weather::Weather;
use super::*;
use crate::scenario::model::Network as Climate;
use crate::world::chance::Chance;
use crate::world::heap::Heap;

const A: Host = Host(0);
const B: Host = Host(1);
const LABEL: Label = Label { api_key: 1, response: false };

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
