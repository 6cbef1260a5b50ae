//! How the pump hands one event to one process and gets back what the step wanted.
//!
//! ```text
//!   pump                                 desk                  node::run (a future of its own for each process)
//!   ────                                 ────                  ────────────────────────────────────────────────
//!   puts event, polls the process  ──▶  [ event    ]  ──▶  Rim::next returns it
//!   (is not asked meanwhile)            [          ]       Actor::step, Rim::carry_out
//!   takes actions and deadline     ◀──  [ actions  ]  ◀──  Rim::next again: lays down what the step wanted, and waits
//! ```
//!
//! The process is the same loop as in production, and it waits for nothing but the desk, so one poll is one step. It is polled by the
//! pump and not by the engine's executor: that would pick among tasks of which never more than one can run, twice for each event, and
//! drop a killed process some time after its death. A panic inside a step is caught where it happens and laid on the desk too: it is a
//! finding (CRASH), not the end of the laboratory.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, Once};
use std::task::{Context, Poll, Waker};

use brokerlab::actor::{Action, Actor, Event, Now, Outbox};
use brokerlab::digest::Digest;
use brokerlab::disk::Disk;
use brokerlab::node::{self, Rim};
use brokerlab::types::{ConnectionId, Time};

/// A process that the pump can hand events to. Dropping it is its death: none of its code runs after that.
pub struct Fiber {
    desk: Desk,
    course: Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// Where pump and process meet.
#[derive(Clone, Default)]
struct Desk(Arc<Mutex<Papers>>);

/// What lies on the desk.
#[derive(Default)]
struct Papers {
    event: Option<(Now, Event)>,
    /// The pump has another event for the process.
    has_more: bool,
    actions: Vec<Action>,
    deadline: Option<Time>,
    spare: ConnectionId,
    panic: Option<String>,
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
}

impl Fiber {
    /// A process that has done nothing so far.
    #[must_use]
    pub fn new<D: Disk + Send + 'static>(actor: Box<dyn Actor>, disk: D) -> Fiber {
        let desk = Desk::default();
        Fiber { course: Box::pin(live(actor, desk.clone(), disk)), desk }
    }

    /// Tells the process that it is given another event right after the next one.
    pub fn expect_more(&mut self) {
        self.desk.papers().has_more = true;
    }

    /// Lets the process take the event (the first time none: it comes up), and swaps what it wants into `actions`.
    ///
    /// # Panics
    /// When the process ends: it runs until it is dropped.
    pub fn step(&mut self, event: Option<(Now, Event)>, actions: &mut Vec<Action>) -> State {
        self.desk.papers().event = event;
        let outcome = self.course.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(outcome.is_pending(), "a process asks for events until it is dropped");
        let mut papers = self.desk.papers();
        assert!(papers.event.is_none(), "a process waits for nothing but its desk");
        std::mem::swap(&mut papers.actions, actions);
        State { deadline: papers.deadline, spare: papers.spare, panic: papers.panic.take() }
    }
}

/// The life of one process: the actor in the same loop as in production.
async fn live<D: Disk + Send>(actor: Box<dyn Actor>, desk: Desk, disk: D) {
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
        let (now, event) = poll_fn(|_| {
            let mut papers = self.desk.papers();
            if !std::mem::replace(&mut laid_down, true) {
                std::mem::swap(&mut papers.actions, &mut self.actions);
                (papers.deadline, papers.spare) = (deadline, self.spare);
            }
            papers.event.take().map_or(Poll::Pending, Poll::Ready)
        })
        .await;
        self.taken = matches!(event, Event::Opened { accepted: true, .. });
        Some((now, event))
    }

    fn has_more(&self) -> bool {
        std::mem::take(&mut self.desk.papers().has_more)
    }

    fn disk(&mut self) -> &mut dyn Disk {
        &mut self.disk
    }

    async fn carry_out(&mut self, out: &mut Outbox) {
        out.drain_into(&mut self.actions);
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

    fn expect_more(&mut self) {
        self.guard(|actor| actor.expect_more());
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
