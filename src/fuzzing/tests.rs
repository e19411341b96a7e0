//! The corpora of `fuzz/corpus`, replayed: each file is an input that meant something once.

use std::{fs, panic, path::Path};

use super::TARGETS;

#[test]
fn every_input_of_the_corpora_holds() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let mut folders: Vec<String> = Vec::new();
    for folder in fs::read_dir(&corpus).unwrap() {
        folders.push(folder.unwrap().file_name().into_string().unwrap());
    }
    folders.sort();
    let mut names = TARGETS.map(|target| target.name);
    names.sort_unstable();
    assert_eq!(folders, names, "a folder for each target, and none besides");
    for target in TARGETS {
        let mut files = 0;
        for file in fs::read_dir(corpus.join(target.name)).unwrap() {
            let path = file.unwrap().path();
            let data = fs::read(&path).unwrap();
            assert!(
                data.len() <= 16 << 10,
                "{} is no small file",
                path.display()
            );
            let outcome = panic::catch_unwind(|| (target.body)(&data));
            assert!(outcome.is_ok(), "{} does not hold", path.display());
            files += 1;
        }
        assert!(files >= 10, "{} has {files} inputs", target.name);
    }
}
