use std::{
    fs::{self, OpenOptions},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    process::Command,
};

use super::{Bench, SLOTS, hold, posting_of, settled};
use crate::store::{
    FileError, Inflight, Recovered,
    inflight::{
        frame::{HEAD, SLOT},
        scan,
    },
};

/// A file with call 1 held and call 2 settled.
fn left_behind(bench: &Bench) -> [Recovered; 2] {
    let inflight = bench.start();
    let mut first = inflight.take().unwrap();
    first.write_hold(&hold(1)).unwrap();
    let mut second = inflight.take().unwrap();
    second.write_hold(&hold(2)).unwrap();
    second.settle(&posting_of(&hold(2))).unwrap();
    let open = Recovered::Open(Box::new(hold(1)), None);
    [open, settled(posting_of(&hold(2)))]
}

fn refusal(bench: &Bench) -> String {
    let before = bench.bytes();
    let error = scan(bench.file()).unwrap_err();
    assert_eq!(bench.bytes(), before);
    let folder = bench.0.path().to_str().unwrap();
    error.to_string().replace(folder, "/var/lib/faregate")
}

#[test]
fn a_new_file_has_all_its_blocks_and_is_its_owners_alone() {
    let bench = Bench::new();
    drop(bench.start());
    let about = fs::metadata(bench.file()).unwrap();
    assert_eq!(about.len(), (HEAD + SLOTS as usize * SLOT) as u64);
    assert!(
        about.blocks() * 512 >= about.len(),
        "{} blocks",
        about.blocks()
    );
    assert_eq!(about.permissions().mode() & 0o777, 0o600);
    let line = "faregate calls under way, layout 1, 300 slots of 1024 bytes\n";
    assert!(bench.bytes().starts_with(line.as_bytes()));
    let leftovers = fs::read_dir(bench.0.path()).unwrap().count();
    assert_eq!(leftovers, 1);
}

#[test]
fn reading_changes_nothing_and_the_file_is_emptied_in_place() {
    let bench = Bench::new();
    let calls = left_behind(&bench);
    let inode = fs::metadata(bench.file()).unwrap().ino();
    assert_eq!(bench.found(), calls);
    assert_eq!(bench.found(), calls);
    drop(bench.start());
    assert_eq!(bench.found(), []);
    assert_eq!(fs::metadata(bench.file()).unwrap().ino(), inode);
}

#[test]
fn a_file_of_another_size_is_read_and_then_made_anew() {
    let bench = Bench::new();
    let calls = left_behind(&bench);
    for slots in [64, 1000] {
        let found = scan(bench.file()).unwrap();
        if slots == 64 {
            assert_eq!(found.calls, calls);
        }
        let (file, path) = found.renew(slots).unwrap();
        assert_eq!(
            file.metadata().unwrap().len(),
            (HEAD + slots as usize * SLOT) as u64
        );
        let inflight = Inflight::in_file(file, path, slots, false).unwrap();
        assert_eq!(inflight.slots(), slots);
        assert_eq!(bench.found(), []);
    }
}

#[test]
fn a_slot_that_cannot_be_read_is_told_and_kept_aside() {
    let bench = Bench::new();
    let [_, whole] = left_behind(&bench);
    let mut bytes = bench.bytes();
    bytes[HEAD + 50] ^= 1;
    fs::write(bench.file(), &bytes).unwrap();
    let found = scan(bench.file()).unwrap();
    assert_eq!(found.damaged, [0]);
    assert_eq!(found.calls, [whole]);
    found.renew(SLOTS).unwrap();
    assert_eq!(bench.found(), []);
    let aside = bench.0.path().join("faregate.db.inflight.damaged");
    assert_eq!(fs::read(aside).unwrap(), bytes);
}

#[test]
fn what_a_killed_start_left_is_no_obstacle() {
    let bench = Bench::new();
    let draft = bench.0.path().join("faregate.db.inflight.new");
    drop(bench.start());
    let whole = bench.bytes();
    for left in [0, 20, HEAD, whole.len() / 2, whole.len()] {
        fs::remove_file(bench.file()).unwrap();
        fs::write(&draft, &whole[..left]).unwrap();
        drop(bench.start());
        assert_eq!(bench.found(), []);
        assert!(!draft.exists(), "{left} bytes");
    }
}

#[test]
fn a_file_of_somebody_elses_is_not_deleted_to_make_ours() {
    let bench = Bench::new();
    let theirs = bench.0.path().join("faregate.db.inflight.new");
    fs::write(&theirs, "notes\n").unwrap();
    let found = scan(bench.file()).unwrap();
    let error = found.renew(SLOTS).unwrap_err().to_string();
    assert_eq!(fs::read(&theirs).unwrap(), b"notes\n");
    assert!(!bench.file().exists());
    let folder = bench.0.path().to_str().unwrap();
    insta::assert_snapshot!(error.replace(folder, "/var/lib/faregate"), @"/var/lib/faregate/faregate.db.inflight.new has the name under which the file of calls under way is made, and is something else; move it away");
}

#[test]
fn slots_that_could_not_be_read_are_kept_beside_earlier_ones() {
    let bench = Bench::new();
    let asides = ["", ".2", ".3"].map(|number| format!("faregate.db.inflight.damaged{number}"));
    for (at, aside) in asides.iter().enumerate() {
        left_behind(&bench);
        let mut bytes = bench.bytes();
        bytes[HEAD + 50 + at] ^= 1;
        fs::write(bench.file(), &bytes).unwrap();
        scan(bench.file()).unwrap().renew(SLOTS).unwrap();
        assert_eq!(fs::read(bench.0.path().join(aside)).unwrap(), bytes);
    }
    let kept = |aside: &String| fs::read(bench.0.path().join(aside)).unwrap();
    assert_ne!(kept(&asides[0]), kept(&asides[1]));
}

#[test]
fn what_is_no_such_file_is_refused_and_left_as_it_is() {
    let bench = Bench::new();
    let mut words = Vec::new();
    left_behind(&bench);
    let whole = bench.bytes();
    let line = |text: &str| [text.as_bytes(), b"\n", &[0; HEAD]].concat();
    let mut changed = whole.clone();
    changed[HEAD - 1] = 1;
    for bytes in [
        Vec::new(),
        b"providers: {}\n".to_vec(),
        whole[..whole.len() / 2].to_vec(),
        whole[..40].to_vec(),
        line("faregate calls under way, layout 2, 300 slots of 2048 bytes"),
        line("faregate calls under way, layout 0, 300 slots of 1024 bytes"),
        line("faregate calls under way, layout 1, many slots of 1024 bytes"),
        changed,
    ] {
        fs::write(bench.file(), bytes).unwrap();
        words.push(refusal(&bench));
    }
    fs::remove_file(bench.file()).unwrap();
    fs::create_dir(bench.file()).unwrap();
    let folder = bench.0.path().to_str().unwrap();
    let error = scan(bench.file()).unwrap_err().to_string();
    words.push(error.replace(folder, "/var/lib/faregate"));
    insta::assert_snapshot!(words.join("\n"));
}

#[test]
fn any_bit_of_the_head_that_changes_is_noticed() {
    let bench = Bench::new();
    drop(bench.start());
    let whole = bench.bytes();
    for at in (0..80).chain((80..HEAD).step_by(61)) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        fs::write(bench.file(), bytes).unwrap();
        assert!(scan(bench.file()).is_err(), "byte {at}");
    }
}

#[test]
fn a_disk_without_room_is_said_before_anything_is_served() {
    // The kernel's own full disk.
    let full = Path::new("/dev/full");
    let error = OpenOptions::new()
        .write(true)
        .open(full)
        .and_then(|file| std::io::Write::write_all(&mut &file, b"x"))
        .unwrap_err();
    let error = FileError::unusable(Path::new("faregate.db.inflight"), "made", error);
    insta::assert_snapshot!(error, @"faregate.db.inflight, which keeps the calls under way, cannot be made: No space left on device (os error 28); free some space on its disk, or lower store.in_flight");
}

#[test]
fn a_file_in_a_folder_that_is_not_there_cannot_be_made() {
    let bench = Bench::new();
    let path = bench.0.path().join("gone/faregate.db.inflight");
    let found = scan(path).unwrap();
    let error = found.renew(SLOTS).unwrap_err().to_string();
    assert!(error.contains("cannot be made: No such file"), "{error}");
}

#[test]
fn what_is_no_file_is_not_written_to() {
    let bench = Bench::new();
    let pipe = bench.0.path().join("faregate.db.inflight.new");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let error = scan(bench.file()).unwrap().renew(SLOTS).unwrap_err();
    let folder = bench.0.path().to_str().unwrap();
    insta::assert_snapshot!(error.to_string().replace(folder, "/var/lib/faregate"), @"/var/lib/faregate/faregate.db.inflight.new has the name under which the file of calls under way is made, and is something else; move it away");
    assert!(!bench.file().exists());
    assert!(pipe.exists());
}
