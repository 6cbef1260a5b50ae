//! Proofs that a run depends on its plan alone.
//!
//! Determinism rots silently: one clock, one hash table, one thread that the engine does not know of, and seeds are worth nothing
//! ([decision 9]). Each proof here does inside a simulation what must not matter, and looks whether it did.
//!
//! [decision 9]: crate::cli

#[cfg(madsim)]
pub use simulated::run;

/// Without the engine there is nothing to prove.
#[cfg(not(madsim))]
#[must_use]
pub fn run() -> Vec<(&'static str, Result<(), String>)> {
    vec![("this build can simulate", Err("it was built without --cfg madsim".into()))]
}

#[cfg(madsim)]
mod simulated {
    use std::collections::HashMap;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::process::Command;
    use std::time::{Duration, Instant, SystemTime};

    use madsim::runtime::Runtime;

    use crate::cli::{Asked, simulate};
    use crate::scenario::{Scenario, expand, parse};

    /// A lesson with a crash, an election and a recovery in it.
    const LESSON: &str = include_str!("../../scenarios/leader-crash.toml");

    /// Every proof with its claim.
    #[must_use]
    pub fn run() -> Vec<(&'static str, Result<(), String>)> {
        vec![
            ("clocks are virtual: an hour passes at once", virtual_clock()),
            ("hash tables have the same order in every run", hash_order()),
            ("entropy comes from the engine", entropy()),
            ("no thread can be spawned inside a simulation", no_threads()),
            ("the same plan gives the same hash, twice in one process", same_twice()),
            ("another seed of the engine gives the same hash", engine_seed()),
            ("checks change nothing", checks_only_read()),
            ("a fresh process gives the same hash", fresh_process()),
        ]
    }

    fn inside<T: Send + 'static>(seed: u64, what: impl Future<Output = T> + Send + 'static) -> T {
        let thread = std::thread::spawn(move || Runtime::with_seed_and_config(seed, madsim::Config::default()).block_on(what));
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    fn same<T: PartialEq + std::fmt::Debug>(one: &T, other: &T) -> Result<(), String> {
        if one == other { Ok(()) } else { Err(format!("{one:?} and {other:?}")) }
    }

    #[expect(clippy::disallowed_methods, reason = "this is the proof that they are captured")]
    fn virtual_clock() -> Result<(), String> {
        let real = Instant::now();
        let elapsed = || async {
            let (mono, wall) = (Instant::now(), SystemTime::now());
            madsim::time::sleep(Duration::from_secs(3600)).await;
            (mono.elapsed(), wall.elapsed().unwrap_or_default(), SystemTime::now())
        };
        let (first, second) = (inside(1, elapsed()), inside(1, elapsed()));
        same(&first, &second)?;
        let hour = Duration::from_secs(3600)..Duration::from_secs(3601);
        if !hour.contains(&first.0) || !hour.contains(&first.1) {
            return Err(format!("an hour took {:?} and {:?}", first.0, first.1));
        }
        if real.elapsed() > Duration::from_secs(60) { Err(format!("it really took {:?}", real.elapsed())) } else { Ok(()) }
    }

    fn order_of_a_hash_table(seed: u64) -> Vec<u32> {
        inside(seed, async { (0..64u32).map(|n| (n, ())).collect::<HashMap<_, _>>().into_keys().collect() })
    }

    fn hash_order() -> Result<(), String> {
        same(&order_of_a_hash_table(1), &order_of_a_hash_table(1))
    }

    fn entropy() -> Result<(), String> {
        let orders: Vec<_> = (1..=4).map(order_of_a_hash_table).collect();
        if orders.iter().all(|order| *order == orders[0]) {
            Err("it does not depend on the engine's seed".into())
        } else {
            Ok(())
        }
    }

    fn no_threads() -> Result<(), String> {
        let quiet = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| {}));
        let spawned = inside(1, async {
            catch_unwind(AssertUnwindSafe(|| std::thread::Builder::new().spawn(|| ()).is_ok_and(|thread| thread.join().is_ok())))
                .unwrap_or(false)
        });
        std::panic::set_hook(quiet);
        if spawned { Err("a thread was spawned".into()) } else { Ok(()) }
    }

    fn plan() -> Scenario {
        let lesson = parse("leader-crash.toml", LESSON).expect("the lessons of this repository are tested");
        expand(&lesson, lesson.seed)
    }

    fn hash(asked: &Asked) -> Result<String, String> {
        simulate(&plan(), asked).map(|outcome| outcome.hash.to_string()).map_err(|error| error.to_string())
    }

    fn same_twice() -> Result<(), String> {
        same(&hash(&Asked::default())?, &hash(&Asked::default())?)
    }

    fn engine_seed() -> Result<(), String> {
        let usual = hash(&Asked::default())?;
        (2..5).try_for_each(|madsim_seed| same(&usual, &hash(&Asked { madsim_seed, ..Asked::default() })?))
    }

    fn checks_only_read() -> Result<(), String> {
        same(&hash(&Asked::default())?, &hash(&Asked { checks: false, timeline: true, ..Asked::default() })?)
    }

    fn fresh_process() -> Result<(), String> {
        let told = |error: std::io::Error| error.to_string();
        let path = std::env::temp_dir().join(format!("brokerlab-selftest-{}.toml", std::process::id()));
        std::fs::write(&path, crate::scenario::to_toml(&plan())).map_err(told)?;
        let output =
            Command::new(std::env::current_exe().map_err(told)?).arg("run").arg(&path).arg("--json").output().map_err(told);
        let _ = std::fs::remove_file(&path);
        let text = String::from_utf8_lossy(&output?.stdout).into_owned();
        let hash = hash(&Asked::default())?;
        if text.lines().last().is_some_and(|line| line.contains(&hash)) { Ok(()) } else { Err("it gave another one".into()) }
    }
}
