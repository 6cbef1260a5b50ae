//! What happens to hosts and links: power, deaths of processes, cuts, slowness.

use brokerlab::types::{Duration, Time};

use super::fabric::{Fabric, HostState};
use super::{GIVE_UP, Host, Signal, Socket};

impl Fabric {
    /// A kernel starts. Whatever its predecessor knew is forgotten.
    pub fn power_on(&mut self, host: Host, now: Time) {
        self.hosts[usize::from(host.0)].powered = true;
        self.refreeze_host(host, now);
    }

    /// The process dies; its kernel closes what it left.
    pub fn kill(&mut self, host: Host, cause: u64, now: Time) {
        self.hosts[usize::from(host.0)].listening = false;
        for socket in self.ends_on(host) {
            if !self.is_unborn(socket) {
                self.close(socket, cause, now);
            }
        }
    }

    /// The kernel dies too: silence. `fault` is named by what gets through later.
    pub fn power_off(&mut self, host: Host, fault: u64, now: Time) {
        let state = &mut self.hosts[usize::from(host.0)];
        *state = HostState { powered: false, listening: false, outage: fault };
        for socket in self.ends_on(host) {
            if self.is_unborn(socket) {
                continue;
            }
            let end = self.end_mut(socket);
            end.shut();
            // What already travels arrives; nobody is left to retransmit what is stuck.
            if end.pipe.is_frozen() {
                end.pipe.clear();
            }
            self.bury(socket.connection);
        }
        self.refreeze_host(host, now);
    }

    /// Whether the kernel runs.
    #[must_use]
    pub fn is_powered(&self, host: Host) -> bool {
        self.hosts[usize::from(host.0)].powered
    }

    /// Cuts one direction once more.
    pub fn cut(&mut self, from: Host, to: Host, fault: u64, now: Time) {
        self.weather.cut(from, to, fault);
        self.refreeze_link(from, to, now);
    }

    /// Takes back one cut.
    pub fn heal(&mut self, from: Host, to: Host, now: Time) {
        self.weather.heal(from, to);
        self.refreeze_link(from, to, now);
    }

    /// Slows one direction down.
    pub fn slow(&mut self, from: Host, to: Host, by: Duration, fault: u64) {
        self.weather.slow(from, to, by, fault);
    }

    /// Takes back [`Fabric::slow`].
    pub fn hasten(&mut self, from: Host, to: Host, by: Duration) {
        self.weather.hasten(from, to, by);
    }

    /// One direction carries no more than so many bytes per second; without a receiver, all that `from` sends, and all it receives.
    pub fn narrow(&mut self, from: Host, to: Option<Host>, rate: u64, fault: u64) {
        self.weather.narrow(from, to, rate, fault);
    }

    /// Takes back [`Fabric::narrow`]: what still waits for the wire goes on at once.
    pub fn widen(&mut self, from: Host, to: Option<Host>, fault: u64, now: Time) {
        self.weather.widen(from, to, fault);
        for socket in self.all_ends() {
            let (here, there) = self.route(socket);
            let is_concerned = if to.is_some() { here == from && Some(there) == to } else { here == from || there == from };
            if is_concerned {
                self.end_mut(socket).pipe.relieve(now);
                self.arm(socket);
            }
        }
    }

    /// Freezes or thaws the pipe that leads away from this end, as the link and the other host are now.
    pub(super) fn refreeze(&mut self, from: Socket, fault: u64, now: Time) {
        let (here, there) = self.route(from);
        let blocked = self.weather.is_cut(here, there) || !self.hosts[usize::from(there.0)].powered;
        let frozen = self.end(from).pipe.is_frozen();
        if blocked && !frozen {
            if self.end_mut(from).pipe.freeze(now) {
                let timetable = self.end(from).pipe.timetable;
                self.schedule.push((now.plus(GIVE_UP), Signal::GiveUp { from, timetable }));
            }
        } else if frozen && !blocked {
            let latency = self.weather.control(here, there, now);
            self.end_mut(from).pipe.thaw(now, latency, fault);
            self.arm(from);
        }
    }

    pub(super) fn refreeze_link(&mut self, from: Host, to: Host, now: Time) {
        let fault = self.weather.fault(from, to);
        for socket in self.ends_on(from) {
            if self.end(socket.peer()).host == to {
                self.refreeze(socket, fault, now);
            }
        }
    }

    pub(super) fn refreeze_host(&mut self, host: Host, now: Time) {
        let fault = self.hosts[usize::from(host.0)].outage;
        for socket in self.ends_on(host) {
            self.refreeze(socket.peer(), fault, now);
        }
    }

    pub(super) fn culprit(&self, from: Socket) -> u64 {
        let (here, there) = self.route(from);
        if self.is_powered(there) { self.weather.fault(here, there) } else { self.hosts[usize::from(there.0)].outage }
    }
}
