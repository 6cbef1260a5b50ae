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

fn broken(operation: Operation, path: &str, nth: u64, times: u64) -> Broken {
    Broken { operation, path: path.into(), nth, times }
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
    let before = ("a".to_string(), Bytes::from_static(b"onetwo"));
    assert_eq!(as_written(&disk).0, [before], "what there was just before can still be looked at");
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
    disk.break_operations("f1", broken(Operation::Sync, "", 1, 1));
    let token = disk.begin_sync(&[SyncTarget::File(file)]);
    assert_eq!(disk.end_sync(token), Err(DiskError::Io));
    sync(&disk, &[SyncTarget::File(file), root()]);
    assert_eq!(disk.durable(), [("a".to_string(), Bytes::from_static(&[0]))]);
}

#[test]
fn only_the_sync_of_a_matching_path_fails() {
    let disk = disk(1);
    let mut process = disk.process(1);
    let [log, other] = ["a.log", "a.index"].map(|path| process.create(path).unwrap());
    disk.break_operations("f1", broken(Operation::Sync, ".log", 2, 1));
    sync(&disk, &[SyncTarget::File(log)]);
    sync(&disk, &[SyncTarget::File(other)]);
    let token = disk.begin_sync(&[SyncTarget::File(other), SyncTarget::File(log)]);
    assert_eq!(disk.end_sync(token), Err(DiskError::Io));
}

#[test]
fn what_a_failed_sync_covered_is_gone_after_power_loss_though_the_next_one_said_ok() {
    let disk = disk(1);
    let mut process = disk.process(1);
    let file = process.create("a").unwrap();
    sync(&disk, &[root()]);
    process.write(file, 0, &[&[7; 600]]).unwrap();
    disk.break_operations("f1", broken(Operation::Sync, "", 1, 1));
    let token = disk.begin_sync(&[SyncTarget::File(file)]);
    assert_eq!(disk.end_sync(token), Err(DiskError::Io));
    assert_eq!(process.read(file, 0, 600).unwrap(), &[7; 600][..], "still visible");
    sync(&disk, &[SyncTarget::File(file)]);
    disk.power_loss("f2");
    assert_eq!(disk.visible()[0].1, &[0; 600][..]);
}

#[test]
fn what_a_failed_sync_covered_is_durable_once_the_next_process_has_written_it_again() {
    let disk = disk(1);
    let mut process = disk.process(1);
    let file = process.create("a").unwrap();
    sync(&disk, &[root()]);
    process.write(file, 0, &[&[7; 1600]]).unwrap();
    disk.break_operations("f1", broken(Operation::Sync, "", 1, 1));
    let token = disk.begin_sync(&[SyncTarget::File(file)]);
    assert_eq!(disk.end_sync(token), Err(DiskError::Io));
    let mut next = disk.process(2);
    let file = next.open("a").unwrap();
    next.write(file, 600, &[&[7; 1000]]).unwrap();
    sync(&disk, &[SyncTarget::File(file)]);
    disk.power_loss("f2");
    let found = disk.visible()[0].1.clone();
    assert_eq!((&found[..512], &found[512..]), (&[0; 512][..], &[7; 1088][..]), "whole sectors, and only those written again");
}

#[test]
fn the_nth_operation_on_a_path_fails_and_so_many_after_it() {
    let disk = disk(1);
    let mut process = disk.process(1);
    let [a, b] = ["d-a.log", "d-b"].map(|path| process.create(path).unwrap());
    disk.break_operations("f1", broken(Operation::Read, ".log", 2, 2));
    let mut read = |file| process.read(file, 0, 1).map(drop);
    assert_eq!([read(a), read(b), read(b)], [Ok(()), Ok(()), Ok(())], "the first; and others do not count");
    assert_eq!([read(a), read(b), read(a), read(a)], [Err(DiskError::Io), Ok(()), Err(DiskError::Io), Ok(())]);
}

#[test]
fn a_write_that_fails_may_have_written_a_part() {
    let lengths: Vec<usize> = (0..40)
        .map(|seed| {
            let disk = disk(seed);
            let mut process = disk.process(1);
            let file = process.create("a").unwrap();
            disk.break_operations("f1", broken(Operation::Write, "", 1, 1));
            assert_eq!(process.write(file, 0, &[&[1; 50], &[2; 50]]), Err(DiskError::Io));
            assert_eq!(process.write(file, 200, &[b"x"]), Ok(()));
            disk.visible()[0].1.iter().take_while(|byte| **byte != 0).count()
        })
        .collect();
    assert!(lengths.iter().all(|length| *length <= 100) && lengths.iter().any(|length| (1..100).contains(length)), "{lengths:?}");
}

#[test]
fn a_mended_disk_works_again() {
    let disk = disk(1);
    let mut process = disk.process(1);
    disk.break_operations("f1", broken(Operation::Write, "", 1, 100));
    assert_eq!(process.create("a"), Err(DiskError::Io));
    disk.mend("another");
    assert_eq!(process.create("a"), Err(DiskError::Io));
    disk.mend("f1");
    assert!(process.create("a").is_ok());
}

#[test]
fn a_full_disk_takes_what_fits_and_lets_go_of_everything() {
    let disk = disk(1);
    let mut process = disk.process(1);
    let file = process.create("a").unwrap();
    process.write(file, 0, &[&[1; 100]]).unwrap();
    disk.limit("f1", 10);
    assert_eq!(process.write(file, 50, &[&[2; 60]]), Ok(()), "that fits exactly");
    assert_eq!(process.write(file, 110, &[b"x"]), Err(DiskError::Full));
    assert_eq!(process.write(file, 0, &[&[3; 20]]), Ok(()), "in place");
    assert_eq!(process.set_len(file, 111), Err(DiskError::Full));
    process.set_len(file, 105).unwrap();
    assert_eq!(process.write(file, 105, &[b"seven b"]), Err(DiskError::Full));
    assert_eq!(process.len(file), Ok(110), "five of them fitted");
    assert!(matches!(disk.begin_replace("b", b"content"), Err(DiskError::Full)));
    disk.mend("f1");
    assert_eq!(process.write(file, 110, &[b"x"]), Ok(()));
}

#[test]
fn a_disk_has_its_capacity() {
    let disk = SimDisk::new(DiskKey { seed: 1, node: 1 }, DiskWeather { capacity: Some(10), ..DiskWeather::default() });
    let mut process = disk.process(1);
    let file = process.create("a").unwrap();
    assert_eq!(process.write(file, 0, &[b"eleven byte"]), Err(DiskError::Full));
    process.remove("a").unwrap();
    process.close(file);
    let file = process.create("b").unwrap();
    disk.end_process();
    assert_eq!(process.write(file, 0, &[b"x"]), Err(DiskError::Gone));
    let mut next = disk.process(2);
    let file = next.open("b").unwrap();
    assert_eq!(next.write(file, 0, &[b"ten bytes!"]), Ok(()), "nobody has the removed file open any more");
}

#[test]
fn a_wiped_disk_is_empty_and_what_was_under_way_never_ends() {
    let disk = disk(1);
    let mut process = disk.process(1);
    let file = process.create("a").unwrap();
    let token = disk.begin_sync(&[SyncTarget::File(file), root()]);
    disk.end_process();
    disk.wipe();
    assert_eq!(disk.end_sync(token), Err(DiskError::Gone));
    assert!(disk.visible().is_empty() && disk.durable().is_empty());
    let mut next = disk.process(2);
    assert_eq!(next.open("a"), Err(DiskError::NotFound));
    assert!(next.create("a").is_ok());
}

/// A disk with a log of so many durable sectors, and one that is not durable.
fn with_log(seed: u64, sectors: usize) -> SimDisk {
    let disk = disk(seed);
    let mut process = disk.process(1);
    process.create_dir("t-0").unwrap();
    let log = process.create("t-0/0.log").unwrap();
    process.write(log, 0, &[&vec![9; 512 * sectors + 100]]).unwrap();
    let other = process.create("other").unwrap();
    process.write(other, 0, &[&[9; 5120]]).unwrap();
    sync(&disk, &[SyncTarget::File(log), SyncTarget::File(other), SyncTarget::Directory("t-0".into()), root()]);
    process.write(log, 512 * sectors as u64 + 100, &[&[9; 2000]]).unwrap();
    disk
}

/// Files by path.
type Files = Vec<(String, Bytes)>;

/// What an auditor finds: as a reader sees it, and as a power loss would leave it.
fn as_written(disk: &SimDisk) -> (Files, Files) {
    let owned = |images: &[Image<'_>]| {
        images.iter().map(|image| (image.path.to_string(), Bytes::copy_from_slice(&image.bytes))).collect::<Vec<_>>()
    };
    disk.audit(|_| true, |visible, durable| (owned(visible), owned(durable)))
}

#[test]
fn bits_rot_in_durable_sectors_of_logs_alone_and_the_auditor_knows_what_was_written() {
    let mut places = std::collections::BTreeSet::new();
    for seed in 0..60 {
        let disk = with_log(seed, 3);
        assert!(disk.has_settled_logs());
        let (visible, durable) = (disk.visible(), disk.durable());
        assert_eq!(disk.rot("f1", 2), 2);
        let differs: Vec<(String, usize)> = disk
            .visible()
            .iter()
            .zip(&visible)
            .flat_map(|((path, now), (_, before))| {
                (0..now.len()).filter(|at| now[*at] != before[*at]).map(|at| (path.clone(), at)).collect::<Vec<_>>()
            })
            .collect();
        assert!(differs.len() <= 2 && differs.iter().all(|(path, at)| path == "t-0/0.log" && *at < 3 * 512), "{differs:?}");
        assert_ne!(disk.durable(), durable, "it is the medium that rots");
        assert_eq!(as_written(&disk), (visible, durable));
        places.extend(differs);
    }
    assert!(places.len() > 50);
}

#[test]
fn rot_survives_power_loss_and_ends_where_it_is_written_over() {
    let disk = with_log(5, 1);
    disk.rot("f1", 1);
    let before = as_written(&disk).0;
    disk.power_loss("f2");
    let image = |files: Vec<(String, Bytes)>| files.into_iter().find(|(path, _)| path == "t-0/0.log").unwrap().1;
    let (rotten, written) = (image(disk.visible()), image(as_written(&disk).0));
    assert_ne!(rotten[..512], [9; 512]);
    assert_eq!(written[..612], image(before)[..612]);
    let mut next = disk.process(2);
    let file = next.open("t-0/0.log").unwrap();
    next.write(file, 0, &[&[4; 512]]).unwrap();
    assert_eq!(image(as_written(&disk).0)[..512], [4; 512]);
}

#[test]
fn what_is_not_on_the_medium_does_not_rot() {
    let disk = disk(1);
    let mut process = disk.process(1);
    let log = process.create("0.log").unwrap();
    process.write(log, 0, &[&[9; 5000]]).unwrap();
    assert!(!disk.has_settled_logs());
    assert_eq!(disk.rot("f1", 3), 0);
    sync(&disk, &[SyncTarget::File(log), root()]);
    process.write(log, 0, &[&[8; 5000]]).unwrap();
    assert_eq!(disk.rot("f1", 3), 0, "all of it is being written over");
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
