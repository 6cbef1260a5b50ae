//! How the pump hands one event to one process and waits until it is done.
//!
//! ```text
//!   pump (the main task)                 desk                  node::run (a task on the node's own madsim node)
//!   ────────────────────                 ────                  ────────────────────────────────────────────────
//!   put event, wake the process  ──▶  [ event    ]  ──▶  Rim::next returns it
//!   (waits)                           [          ]       Actor::step, Rim::carry_out
//!   takes actions and deadline   ◀──  [ actions  ]  ◀──  Rim::next again: lays down what the step wanted, wakes the pump
//! ```
//!
//! So never more than one task is runnable, and the executor's random choice has nothing to choose from. A panic inside a step is
//! caught where it happens and laid on the desk too: it is a finding (CRASH), not the end of the laboratory.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, Once};
use std::task::{Poll, Waker};

use brokerlab::actor::{Action, Actor, Event, Now, Outbox};
use brokerlab::digest::Digest;
use brokerlab::disk::Disk;
use brokerlab::node::{self, Rim};
use brokerlab::types::{ConnectionId, Time};

/// Where pump and process meet.
#[derive(Clone, Default)]
pub struct Desk(Arc<Mutex<Papers>>);

/// What lies on the desk.
#[derive(Default)]
struct Papers {
    event: Option<(Now, Event)>,
    done: bool,
    actions: Vec<Action>,
    deadline: Option<Time>,
    spare: ConnectionId,
    panic: Option<String>,
    process: Option<Waker>,
    pump: Option<Waker>,
}

/// What a process is like after a step.
#[derive(Debug)]
pub struct State {
    /// When it wants to be woken.
    pub deadline: Option<Time>,
    /// The name that the next accepted connection gets.
    pub spare: ConnectionId,
    /// The message of a panic: the process is of no use any more.
    pub panic: Option<String>,
}

impl Desk {
    fn papers(&self) -> MutexGuard<'_, Papers> {
        self.0.lock().expect("nothing panics while it holds the desk")
    }

    /// Hands over an event, waits until the process has done what it wants to (with no event: until it has come up), and swaps its actions
    /// into `actions`.
    pub fn step<'a>(&'a self, mut event: Option<(Now, Event)>, actions: &'a mut Vec<Action>) -> impl Future<Output = State> + 'a {
        poll_fn(move |context| {
            let mut papers = self.papers();
            if let Some(event) = event.take() {
                papers.event = Some(event);
                papers.done = false;
                if let Some(process) = &papers.process {
                    process.wake_by_ref();
                }
            }
            if !papers.done {
                keep_waker(&mut papers.pump, context.waker());
                return Poll::Pending;
            }
            std::mem::swap(&mut papers.actions, actions);
            Poll::Ready(State { deadline: papers.deadline, spare: papers.spare, panic: papers.panic.take() })
        })
    }

    /// Whether the process's task has been dropped.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }
}

fn keep_waker(slot: &mut Option<Waker>, waker: &Waker) {
    if slot.as_ref().is_none_or(|kept| !kept.will_wake(waker)) {
        *slot = Some(waker.clone());
    }
}

/// The life of one process: the actor in the same loop as in production.
pub async fn live<D: Disk + Send>(actor: Box<dyn Actor>, desk: Desk, disk: D) {
    let mut out = Outbox::new();
    let spare = out.next_connection();
    let mut guarded = Guarded { actor, desk: desk.clone(), panicked: false };
    let mut rim = DeskRim { desk, disk, actions: Vec::new(), spare, taken: false };
    node::run(&mut guarded, &mut rim, &mut out).await;
}

/// The rim of a simulated process: everything real lies with the world.
struct DeskRim<D> {
    desk: Desk,
    disk: D,
    actions: Vec<Action>,
    spare: ConnectionId,
    taken: bool,
}

impl<D: Disk + Send> Rim for DeskRim<D> {
    async fn next(&mut self, deadline: Option<Time>) -> Option<(Now, Event)> {
        let mut laid_down = false;
        let (now, event) = poll_fn(|context| {
            let mut papers = self.desk.papers();
            if !std::mem::replace(&mut laid_down, true) {
                std::mem::swap(&mut papers.actions, &mut self.actions);
                (papers.deadline, papers.spare, papers.done) = (deadline, self.spare, true);
                if let Some(pump) = &papers.pump {
                    pump.wake_by_ref();
                }
            }
            if let Some(event) = papers.event.take() {
                return Poll::Ready(event);
            }
            keep_waker(&mut papers.process, context.waker());
            Poll::Pending
        })
        .await;
        self.taken = matches!(event, Event::Opened { accepted: true, .. });
        Some((now, event))
    }

    fn disk(&mut self) -> &mut dyn Disk {
        &mut self.disk
    }

    async fn carry_out(&mut self, out: &mut Outbox) {
        self.actions.extend(out.drain());
        if std::mem::take(&mut self.taken) {
            self.spare = out.next_connection();
        }
    }
}

/// An actor whose panics are evidence.
struct Guarded {
    actor: Box<dyn Actor>,
    desk: Desk,
    panicked: bool,
}

impl Guarded {
    fn guard<T>(&mut self, task: impl FnOnce(&mut dyn Actor) -> T) -> Option<T> {
        if self.panicked {
            return None;
        }
        let actor = &mut *self.actor;
        let outcome = watched(|| task(actor));
        outcome
            .map_err(|message| {
                self.panicked = true;
                self.desk.papers().panic = Some(message);
            })
            .ok()
    }
}

impl Actor for Guarded {
    fn step(&mut self, now: Now, event: Event, disk: &mut dyn Disk, out: &mut Outbox) {
        self.guard(|actor| actor.step(now, event, disk, out));
    }

    fn deadline(&self) -> Option<Time> {
        if self.panicked { None } else { self.actor.deadline() }
    }

    fn digest(&self, hash: &mut Digest) {
        self.actor.digest(hash);
    }
}

thread_local! {
    static WATCHED: Cell<bool> = const { Cell::new(false) };
    static LAST_WORDS: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs `task`; a panic becomes its message and place, and is printed nowhere.
///
/// # Errors
/// The panic.
pub fn watched<T>(task: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if WATCHED.get() {
                LAST_WORDS.set(Some(info.to_string().replace('\n', " ")));
            } else {
                usual(info);
            }
        }));
    });
    WATCHED.set(true);
    let outcome = catch_unwind(AssertUnwindSafe(task));
    WATCHED.set(false);
    outcome.map_err(|_| LAST_WORDS.take().unwrap_or_else(|| "panicked without a word".to_string()))
}
