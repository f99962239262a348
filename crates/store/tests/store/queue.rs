//! Jobs: accepted once, answered once, taken up again by the next process.

use crate::fixture::Place;
use agentprov_model::{ContentId, EventTime};
use agentprov_store::{Accepted, JobState, NewJob, Queue};

fn at(second: i64) -> EventTime {
    EventTime::from_nanos(second * 1_000_000_000)
}

fn accept(queue: &mut Queue, id: &str, content: u8, key: Option<&str>) -> Accepted {
    let digest = ContentId::from_bytes([content; 32]);
    queue.accept(NewJob { id, digest, subject: "s", input: &[content], key }, 5, at(1)).expect("a queue")
}

#[test]
fn equal_inputs_are_one_job() {
    let place = Place::new();
    let mut queue = place.store().queue().unwrap();
    assert_eq!(accept(&mut queue, "a", 1, None), Accepted::New);
    assert_eq!(accept(&mut queue, "b", 1, None), Accepted::Known("a".into()));
    assert_eq!(accept(&mut queue, "c", 2, Some("k")), Accepted::New);
    assert_eq!(accept(&mut queue, "d", 2, Some("k")), Accepted::Known("c".into()));
    assert_eq!(accept(&mut queue, "e", 3, Some("k")), Accepted::KeyUsed);
    assert_eq!(accept(&mut queue, "f", 1, Some("k")), Accepted::KeyUsed);
    assert_eq!(accept(&mut queue, "g", 1, Some("k2")), Accepted::Known("a".into()));
    assert_eq!(queue.open().unwrap(), (2, 0));
    (4..7).for_each(|content| assert_eq!(accept(&mut queue, &content.to_string(), content, None), Accepted::New));
    assert_eq!(accept(&mut queue, "h", 7, None), Accepted::Full);
    assert_eq!(accept(&mut queue, "i", 1, None), Accepted::Known("a".into()), "what is known needs no room");
}

#[test]
fn an_answer_is_final() {
    let place = Place::new();
    let mut queue = place.store().queue().unwrap();
    accept(&mut queue, "a", 1, None);
    accept(&mut queue, "b", 2, None);
    assert!(!queue.finish("a", b"early", b"", at(2)).unwrap(), "nobody works on it");
    let claimed = queue.claim(at(2)).unwrap().unwrap();
    assert_eq!((claimed.id.as_str(), claimed.input.as_slice()), ("a", &[1][..]));
    assert!(queue.finish("a", b"out", b"sum", at(3)).unwrap());
    assert!(!queue.finish("a", b"other", b"", at(4)).unwrap() && !queue.fail("a", "late", at(4)).unwrap());
    assert_eq!(queue.output("a").unwrap().as_deref(), Some(&b"out"[..]));
    assert_eq!(queue.claim(at(4)).unwrap().unwrap().id, "b");
    assert!(queue.fail("b", "why", at(5)).unwrap());
    assert_eq!(queue.claim(at(6)).unwrap(), None);
    let failed = queue.get("b").unwrap().unwrap();
    assert_eq!((failed.state, failed.problem.as_deref(), failed.attempts), (JobState::Failed, Some("why"), 1));
    assert_eq!(queue.output("b").unwrap(), None);
    assert_eq!(queue.get("nobody").unwrap(), None);
    assert_eq!(queue.done(at(1), None).unwrap().len(), 1);
    assert_eq!(queue.done(at(1), Some(at(1))).unwrap().len(), 0);
    assert_eq!(queue.done(at(2), None).unwrap().len(), 0);
}

#[test]
fn what_was_begun_is_taken_up_again_but_not_for_ever() {
    let place = Place::new();
    let store = place.store();
    accept(&mut store.queue().unwrap(), "a", 1, None);
    for attempt in 1..=3 {
        let mut queue = store.queue().unwrap();
        assert_eq!(queue.resume(3, at(attempt)).unwrap(), 1);
        assert_eq!(queue.claim(at(attempt)).unwrap().unwrap().id, "a");
        assert_eq!(queue.claim(at(attempt)).unwrap(), None, "one worker at a time");
    }
    let mut queue = store.queue().unwrap();
    assert_eq!(queue.resume(3, at(9)).unwrap(), 0);
    let row = queue.get("a").unwrap().unwrap();
    assert_eq!((row.state, row.attempts), (JobState::Failed, 3));
}

#[test]
fn many_senders_and_workers_do_each_job_once() {
    let place = Place::new();
    let store = place.store();
    let done: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4u8)
            .map(|thread| {
                let mut queue = store.queue().unwrap();
                scope.spawn(move || {
                    let mut done = 0;
                    for round in 0..20u8 {
                        let id = format!("{thread}-{round}");
                        let digest = ContentId::from_bytes([round; 32]);
                        let job = NewJob { id: &id, digest, subject: "", input: &[round], key: None };
                        queue.accept(job, 1000, at(1)).unwrap();
                        if let Some(claimed) = queue.claim(at(2)).unwrap() {
                            done += usize::from(queue.finish(&claimed.id, b"", b"", at(3)).unwrap());
                        }
                    }
                    done
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(done, 20);
}
