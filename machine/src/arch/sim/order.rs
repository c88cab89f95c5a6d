//! The order of locks, checked: a CPU (here a thread) takes locks in rising order of level.
//!
//! Owns each thread's record of held levels. A violation is a panic that names the levels.

use super::sched;
use super::std::cell::RefCell;
use super::std::thread;
use super::std::thread_local;
use alloc::vec::Vec;

thread_local! {
    static HELD: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Called before a lock of `level` is waited for. Panics when it is taken against the order.
pub fn lock_point(level: u8) {
    if thread::panicking() {
        return;
    }
    HELD.with_borrow(|held| {
        assert!(
            held.iter().all(|h| *h < level),
            "lock order: level {level} taken while holding {held:?}"
        );
    });
    sched::point();
}

/// Called when a lock was taken, by `lock` or by `try_lock`.
pub fn lock_taken(level: u8) {
    HELD.with_borrow_mut(|held| held.push(level));
    sched::progress();
    sched::point();
}

/// Called before a lock is let go.
pub fn lock_released(level: u8) {
    HELD.with_borrow_mut(|held| {
        if let Some(at) = held.iter().rposition(|h| *h == level) {
            held.remove(at);
        }
    });
}

/// Panics when this thread holds a lock: no guest may be entered with one.
pub(super) fn none_held() {
    if !thread::panicking() {
        HELD.with_borrow(|held| assert!(held.is_empty(), "guest entered with locks {held:?} held"));
    }
}
