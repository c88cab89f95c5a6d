//! The order of locks, checked: a CPU (outside of a run a thread) takes locks in rising order of level.
//!
//! Owns each thread's record of held levels, which a run exchanges when another of its CPUs goes on. A violation is a panic that names the levels.

use super::sched;
use super::std::cell::{Cell, RefCell};
use super::std::thread;
use super::std::thread_local;
use alloc::vec::Vec;

/// What a CPU of a run holds while another one runs on the thread.
#[derive(Default)]
pub(super) struct Held {
    levels: Vec<(u8, bool)>,
    wanted: bool,
}

/// Exchanges the thread's record for another CPU's.
pub(super) fn exchange(other: &mut Held) {
    HELD.with_borrow_mut(|held| core::mem::swap(held, &mut other.levels));
    other.wanted = WANTED.replace(other.wanted);
}

thread_local! {
    /// Levels held, and whether the lock was waited for (`lock`) or only tried.
    static HELD: RefCell<Vec<(u8, bool)>> = const { RefCell::new(Vec::new()) };
    static WANTED: Cell<bool> = const { Cell::new(false) };
}

/// Called before a lock of `level` is waited for. Panics when it is taken against the order.
pub fn lock_point(level: u8) {
    if thread::panicking() {
        return;
    }
    HELD.with_borrow(|held| {
        assert!(
            held.iter().all(|(h, _)| *h < level),
            "lock order: level {level} taken while holding {held:?} (level, by lock)"
        );
    });
    WANTED.set(true);
    sched::point();
}

/// Called when a lock was taken, by `lock` or by `try_lock`.
pub fn lock_taken(level: u8) {
    HELD.with_borrow_mut(|held| held.push((level, WANTED.take())));
    sched::progress();
    sched::point();
}

/// Called before a lock is let go.
pub fn lock_released(level: u8) {
    HELD.with_borrow_mut(|held| {
        if let Some(at) = held.iter().rposition(|(h, _)| *h == level) {
            held.remove(at);
        }
    });
}

/// Panics when this thread holds a lock that others may wait for: no guest may be entered, and
/// nothing waited for, with one. Those taken by `try_lock` are leases, which nobody waits for.
pub(super) fn none_waited_for() {
    if !thread::panicking() {
        HELD.with_borrow(|held| {
            let ok = held.iter().all(|(_, by_lock)| !by_lock);
            assert!(
                ok,
                "guest entered or idle with locks {held:?} held (level, by lock)"
            );
        });
    }
}
