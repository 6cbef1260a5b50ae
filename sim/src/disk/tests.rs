//! The disk as a whole: names, syncs, replacements, strikes, and agreement with a real one.

#![allow(clippy::unwrap_used)]
use brokerlab::disk::{Disk, FileId, read_file};
use proptest::prelude::*;

use super::*;

fn disk(seed: u64) -> SimDisk {
    SimDisk::new(DiskKey { seed, node: 1 }, DiskWeather::default())
}

fn sync(disk: &SimDisk, targets: &[SyncTarget]) {
    let token = disk.begin_sync(targets);
    disk.end_sync(token).unwrap();
}

fn root() -> SyncTarget {
    SyncTarget::Directory(String::new())
}

#[test]
fn a_crash_of_the_process_loses_nothing() {
    let disk = disk(1);
    let mut first = disk.process(1);
    let file = first.create("a").unwrap();
    first.write(file, 0, &[b"unsynced"]).unwrap();
    disk.end_process();
    assert_eq!(read_file(&mut disk.process(2), "a").unwrap(), "unsynced");
}

#[test]
fn a_stale_handle_errors_and_leaves_no_trace() {
    let disk = disk(1);
    let mut first = disk.process(1);
    let file = first.create("a").unwrap();
    disk.end_process();
    assert_eq!(first.write(file, 0, &[b"late"]), Err(DiskError::Gone));
    let mut second = disk.process(2);
    assert_eq!(first.create("b"), Err(DiskError::Gone));
    assert_eq!(second.write(file, 0, &[b"not mine"]), Err(DiskError::Gone), "a handle of the former life");
    assert_eq!(disk.visible(), [("a".to_string(), Bytes::new())]);
}

#[test]
fn unsynced_names_do_not_survive_a_loss_that_takes_them_all() {
    // Some seed draws the empty prefix; it must be among the first few.
    let lost = (0..20).any(|seed| {
        let disk = disk(seed);
        let mut process = disk.process(1);
        let file = process.create("a").unwrap();
        process.write(file, 0, &[b"x"]).unwrap();
        sync(&disk, &[SyncTarget::File(file)]);
        disk.power_loss("f1");
        disk.visible().is_empty()
    });
    assert!(lost, "the file's bytes were synced, its name was not");
}

#[test]
fn a_synced_name_in_an_unsynced_directory_is_out_of_reach() {
    let lost = (0..20).any(|seed| {
        let disk = disk(seed);
        let mut process = disk.process(1);
        process.create_dir("d").unwrap();
        process.create("d/a").unwrap();
        sync(&disk, &[SyncTarget::Directory("d".into())]);
        disk.power_loss("f1");
        disk.directories().is_empty()
    });
    assert!(lost);
}

#[test]
fn a_sync_covers_what_was_written_before_it_began() {
    let kept: Vec<Bytes> = (0..40)
        .map(|seed| {
            let disk = disk(seed);
            let mut process = disk.process(1);
            let file = process.create("a").unwrap();
            process.write(file, 0, &[b"before"]).unwrap();
            let token = disk.begin_sync(&[SyncTarget::File(file), root()]);
            process.write(file, 6, &[b" after"]).unwrap();
            disk.end_sync(token).unwrap();
            assert_eq!(disk.durable(), [("a".to_string(), Bytes::from("before"))]);
            disk.power_loss("f1");
            disk.visible()[0].1.clone()
        })
        .collect();
    assert!(kept.iter().all(|bytes| bytes.starts_with(b"before")));
    assert!(kept.iter().any(|bytes| bytes == "before") && kept.iter().any(|bytes| bytes == "before after"));
}

#[test]
fn what_power_loss_takes_depends_on_the_fault_alone() {
    let after = |fault: &str, other_first: bool| {
        let disk = disk(3);
        let mut process = disk.process(1);
        if other_first {
            let other = process.create("other").unwrap();
            process.write(other, 0, &[&[1; 9000]]).unwrap();
        }
        let file = process.create("a").unwrap();
        sync(&disk, &[root()]);
        process.write(file, 0, &[&[2; 9000]]).unwrap();
        disk.power_loss(fault);
        disk.visible().into_iter().find(|(path, _)| path == "a").unwrap().1
    };
    assert_eq!(after("f1", false), after("f1", true));
    assert_ne!(after("f1", false), after("f2", false));
}

#[test]
fn power_can_be_lost_in_the_middle_of_a_step() {
    let disk = disk(1);
    let mut process = disk.process(1);
    let file = process.create("a").unwrap();
    sync(&disk, &[root()]);
    disk.arm_power_loss(2, "f1");
    assert_eq!(process.write(file, 0, &[b"one"]), Ok(()));
    assert_eq!(process.write(file, 3, &[b"two"]), Err(DiskError::Gone));
    assert!(disk.was_struck());
    assert_eq!(process.len(file), Err(DiskError::Gone), "and so does all the rest of the step");
    let loss = disk.power_loss("f1");
    assert_eq!(loss.sectors_lost + loss.sectors_kept, 1);
    assert!(!disk.was_struck());
    assert_eq!(disk.process(2).list("").unwrap(), ["a"]);
}

#[test]
fn a_replacement_is_all_or_nothing_at_every_stage() {
    for stages in 0..3 {
        for seed in 0..30 {
            let disk = disk(seed);
            let _process = disk.process(1);
            let token = disk.begin_replace("a", b"old").unwrap();
            disk.end_replace(token).unwrap();
            let mut token = disk.begin_replace("a", b"the new one").unwrap();
            for _ in 0..stages {
                match disk.advance_replace(token).unwrap() {
                    ReplaceStage::Syncing(next) => token = next,
                    ReplaceStage::Done => {
                        assert_eq!(disk.durable(), [("a".to_string(), Bytes::from("the new one"))]);
                        return;
                    }
                }
            }
            disk.power_loss("f1");
            let found = disk.visible().into_iter().find(|(path, _)| path == "a").unwrap().1;
            assert!(found == "old" || (found == "the new one" && stages > 0), "{found:?} after {stages} stages");
        }
    }
}

#[test]
fn the_later_of_two_overlapping_replacements_wins_whole() {
    let disk = disk(1);
    let mut process = disk.process(1);
    let first = disk.begin_replace("a", b"a much longer first content").unwrap();
    let second = disk.begin_replace("a", b"second").unwrap();
    disk.end_replace(first).unwrap();
    assert_eq!(read_file(&mut process, "a").unwrap(), "a much longer first content");
    disk.end_replace(second).unwrap();
    assert_eq!(read_file(&mut process, "a").unwrap(), "second");
    assert_eq!(process.list("").unwrap(), ["a"]);
}

#[test]
fn a_failed_sync_says_so_once() {
    let disk = disk(1);
    let mut process = disk.process(1);
    let file = process.create("a").unwrap();
    process.write(file, 0, &[b"x"]).unwrap();
    disk.fail_next_sync();
    let token = disk.begin_sync(&[SyncTarget::File(file)]);
    assert_eq!(disk.end_sync(token), Err(DiskError::Io));
    sync(&disk, &[SyncTarget::File(file), root()]);
    assert_eq!(disk.durable(), [("a".to_string(), Bytes::from_static(&[0]))]);
}

/// One operation on names or files; small name spaces make collisions likely.
#[derive(Clone, Debug)]
enum Step {
    Create(usize),
    Open(usize),
    Close(usize),
    Write(usize, u64, Vec<u8>),
    SetLen(usize, u64),
    Read(usize, u64, usize),
    Rename(usize, usize),
    Remove(usize),
    CreateDir(usize),
    RemoveDir(usize),
    List(usize),
}

const PATHS: [&str; 8] = ["a", "b", "d", "e", "d/a", "d/b", "e/a", "d/e"];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let path = 0..PATHS.len();
    let file = 0..4usize;
    let step = prop_oneof![
        3 => path.clone().prop_map(Step::Create),
        2 => path.clone().prop_map(Step::Open),
        1 => file.clone().prop_map(Step::Close),
        4 => (file.clone(), 0u64..2000, prop::collection::vec(any::<u8>(), 0..900)).prop_map(|(f, p, b)| Step::Write(f, p, b)),
        2 => (file.clone(), 0u64..2000).prop_map(|(f, n)| Step::SetLen(f, n)),
        2 => (file, 0u64..2000, 0usize..2000).prop_map(|(f, p, n)| Step::Read(f, p, n)),
        2 => (path.clone(), path.clone()).prop_map(|(from, to)| Step::Rename(from, to)),
        1 => path.clone().prop_map(Step::Remove),
        3 => path.clone().prop_map(Step::CreateDir),
        1 => path.clone().prop_map(Step::RemoveDir),
        1 => path.prop_map(Step::List),
    ];
    prop::collection::vec(step, 0..40)
}

/// Carries out the steps and says what each answered, in words.
fn carry_out(disk: &mut dyn Disk, steps: &[Step]) -> Vec<String> {
    let mut files: Vec<FileId> = Vec::new();
    let nth = |files: &[FileId], n: usize| files.get(n % files.len().max(1)).copied();
    let mut answers = Vec::new();
    for step in steps {
        let answer = match step {
            Step::Create(path) => disk.create(PATHS[*path]).map(|file| files.push(file)).map(|()| String::new()),
            Step::Open(path) => disk.open(PATHS[*path]).map(|file| files.push(file)).map(|()| String::new()),
            Step::Close(n) => {
                if let Some(file) = nth(&files, *n) {
                    files.retain(|other| *other != file);
                    disk.close(file);
                }
                Ok(String::new())
            }
            Step::Write(n, position, bytes) => match nth(&files, *n) {
                Some(file) => disk.write(file, *position, &[bytes]).map(|()| String::new()),
                None => Ok(String::new()),
            },
            Step::SetLen(n, length) => match nth(&files, *n) {
                Some(file) => disk.set_len(file, *length).and_then(|()| disk.len(file)).map(|length| length.to_string()),
                None => Ok(String::new()),
            },
            Step::Read(n, position, length) => match nth(&files, *n) {
                Some(file) => disk.read(file, *position, *length).map(|bytes| format!("{bytes:?}")),
                None => Ok(String::new()),
            },
            Step::Rename(from, to) => disk.rename(PATHS[*from], PATHS[*to]).map(|()| String::new()),
            Step::Remove(path) => disk.remove(PATHS[*path]).map(|()| String::new()),
            Step::CreateDir(path) => disk.create_dir(PATHS[*path]).map(|()| String::new()),
            Step::RemoveDir(path) => disk.remove_dir(PATHS[*path]).map(|()| String::new()),
            Step::List(path) => disk.list(PATHS[*path]).map(|names| names.join(" ")),
        };
        // Operating systems differ in how they refuse nonsense; that they refuse is what counts.
        answers.push(answer.unwrap_or_else(|_| "refused".into()));
    }
    answers
}

proptest! {
    #[test]
    fn without_faults_it_agrees_with_the_real_disk(steps in steps(), seed in any::<u64>()) {
        let root = std::env::temp_dir().join(format!("brokerlab-disk-{}-{seed:x}", std::process::id()));
        let real = carry_out(&mut brokerlab::node::fs::FsDisk::new(&root).unwrap(), &steps);
        std::fs::remove_dir_all(&root).unwrap();
        let simulated = carry_out(&mut disk(seed).process(1), &steps);
        prop_assert_eq!(simulated, real);
    }

    #[test]
    fn no_sequence_of_operations_and_power_losses_breaks_the_disk(
        lives in prop::collection::vec((steps(), any::<bool>(), 1u64..30), 1..4),
        seed in any::<u64>(),
        harsh in any::<bool>(),
    ) {
        let disk = SimDisk::new(DiskKey { seed, node: 1 }, DiskWeather { harsh, ..DiskWeather::default() });
        for (life, (steps, arm, after)) in lives.iter().enumerate() {
            let mut process = disk.process(u32::try_from(life).unwrap() + 1);
            if *arm {
                disk.arm_power_loss(*after, "armed");
            }
            carry_out(&mut process, steps);
            disk.power_loss("f1");
            let after: Vec<_> = disk.visible();
            prop_assert_eq!(&disk.durable(), &after, "after power loss all that is left is on the medium");
            prop_assert_eq!(disk.unsynced_sectors(), 0);
        }
    }

    #[test]
    fn what_was_synced_is_there_after_power_loss(steps in steps(), seed in any::<u64>(), harsh in any::<bool>()) {
        let disk = SimDisk::new(DiskKey { seed, node: 1 }, DiskWeather { harsh, ..DiskWeather::default() });
        let mut process = disk.process(1);
        carry_out(&mut process, &steps);
        let before = disk.visible();
        let mut targets = vec![root()];
        targets.extend(disk.directories().into_iter().map(SyncTarget::Directory));
        for (path, _) in &before {
            targets.push(SyncTarget::File(process.open(path).unwrap()));
        }
        sync(&disk, &targets);
        prop_assert_eq!(&disk.durable(), &before);
        disk.power_loss("f1");
        prop_assert_eq!(disk.visible(), before);
    }
}
