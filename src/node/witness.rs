//! Whoever wants to hear everything that a cluster in this process does, in an order that fits causes and effects.
//!
//! A node states the facts of a step before anything of that step leaves it. So what one node says is heard before anything that another does
//! because of it, as long as whoever listens takes one statement at a time.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::fact::Fact;

/// What happens to a node.
#[derive(Clone, Copy, Debug)]
pub enum Happening<'a> {
    /// A new life begins.
    Started,
    /// It ended in order.
    Stopped,
    /// It was killed.
    Killed,
    /// It is given a request, the whole frame; what it states because of it follows.
    Request(&'a Bytes),
    /// It states something.
    Fact(&'a Fact),
}

/// Hears what happens to nodes, which are named by their place in the cluster; the controller is at 0.
#[derive(Clone)]
pub struct Witness(Arc<Hears>);

type Hears = dyn Fn(usize, Happening<'_>) + Send + Sync;

impl Witness {
    /// Somebody who listens.
    pub fn new(hears: impl Fn(usize, Happening<'_>) + Send + Sync + 'static) -> Witness {
        Witness(Arc::new(hears))
    }

    /// Tells.
    pub fn hear(&self, node: usize, happening: Happening<'_>) {
        (self.0)(node, happening);
    }
}

impl fmt::Debug for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Witness")
    }
}
