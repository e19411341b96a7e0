use tokio::{
    sync::mpsc::{self, Receiver, Sender},
    time::{Duration, Instant},
};

use crate::store::{ledger::Queued, tests::posting};

use super::{Command, GATHER, LARGEST_GROUP, Next, Progress, gather};

struct Bench {
    post: Sender<Queued>,
    postings: Receiver<Queued>,
    tell: Sender<Command>,
    commands: Receiver<Command>,
    progress: Progress,
}

impl Bench {
    fn with_postings(count: u64) -> Self {
        let (post, postings) = mpsc::channel(4096);
        let (tell, commands) = mpsc::channel(1);
        for number in 0..count {
            post.try_send(Queued::of(posting(number))).unwrap();
        }
        Self {
            post,
            postings,
            tell,
            commands,
            progress: Progress::default(),
        }
    }

    /// The next group's size, and how long it was waited for.
    async fn gather(&mut self) -> (Next, usize, Duration) {
        let began = Instant::now();
        let first = self.postings.recv().await.unwrap();
        self.progress.group.push(first);
        let next = gather(&mut self.postings, &mut self.commands, &mut self.progress).await;
        let size = self.progress.group.len();
        self.progress.group.clear();
        (next, size, began.elapsed())
    }
}

#[tokio::test(start_paused = true)]
async fn a_few_postings_wait_for_others_and_go_together() {
    let mut bench = Bench::with_postings(3);
    let late = bench.post.clone();
    let post_late = async {
        tokio::time::sleep(GATHER / 2).await;
        late.try_send(Queued::of(posting(3))).unwrap();
    };
    let (gathered, ()) = tokio::join!(bench.gather(), post_late);
    let (next, size, waited) = gathered;
    assert!(matches!(next, Next::Write));
    assert_eq!(size, 4);
    // Tokio's timers are as fine as a millisecond.
    assert!(waited <= GATHER + Duration::from_millis(1), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_full_group_waits_for_nothing_nor_does_the_rest_behind_it() {
    let mut bench = Bench::with_postings(600);
    let (_, size, waited) = bench.gather().await;
    assert_eq!((size, waited), (LARGEST_GROUP, Duration::ZERO));
    let (_, size, waited) = bench.gather().await;
    assert_eq!((size, waited), (600 - LARGEST_GROUP, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_command_ends_the_group_at_once() {
    let mut bench = Bench::with_postings(3);
    let look = Command::Look(Box::new(|_| {}));
    bench.tell.try_send(look).ok().unwrap();
    let (next, size, waited) = bench.gather().await;
    assert!(matches!(next, Next::Obey(Command::Look(_))));
    assert_eq!((size, waited), (3, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_group_is_kept_when_nobody_is_left() {
    let mut bench = Bench::with_postings(3);
    let (tell, _) = mpsc::channel(1);
    drop(std::mem::replace(&mut bench.tell, tell));
    let (next, size, _) = bench.gather().await;
    assert!(matches!(next, Next::Close));
    assert_eq!(size, 3);
}
