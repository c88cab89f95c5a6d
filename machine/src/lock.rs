//! The one kind of lock.
//!
//! Why unsafe: hands out a reference to what it protects. Invariant: the host runs with
//! interrupts off, so a lock is never wanted by the CPU that holds it unless the code is wrong;
//! the order of locks is checked at run time where debug assertions are on (on the simulated
//! machine always), by a level that each lock is made with: a CPU takes them in rising order.
//! Whoever waits answers TLB flush requests meanwhile.

use core::cell::UnsafeCell;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// The next number that a lock gets when it is first taken together with another.
static NEXT_NUMBER: AtomicU32 = AtomicU32::new(1);

/// A spin lock around a `T`.
pub struct Lock<T: ?Sized> {
    held: AtomicBool,
    level: u8,
    /// See [`Lock::number`]; zero while it has none.
    number: AtomicU32,
    data: UnsafeCell<T>,
}

// SAFETY: the lock gives out one reference at a time.
unsafe impl<T: ?Sized + Send> Sync for Lock<T> {}
// SAFETY: moving the lock moves its data.
unsafe impl<T: ?Sized + Send> Send for Lock<T> {}

/// The right to use what a [`Lock`] protects.
pub struct Guard<'a, T: ?Sized> {
    lock: &'a Lock<T>,
}

impl<T> Lock<T> {
    /// A free lock. `level` is its place in the order: see the hypervisor's `locks` module.
    pub const fn new(level: u8, data: T) -> Lock<T> {
        Lock {
            held: AtomicBool::new(false),
            level,
            number: AtomicU32::new(0),
            data: UnsafeCell::new(data),
        }
    }
}

impl<T: ?Sized> Lock<T> {
    /// Waits until the lock is free and takes it.
    #[inline]
    pub fn lock(&self) -> Guard<'_, T> {
        crate::arch::imp::lock_point(self.level);
        while self.held.swap(true, Ordering::Acquire) {
            while self.held.load(Ordering::Relaxed) {
                crate::arch::imp::relax();
            }
        }
        crate::arch::imp::lock_taken(self.level);
        Guard { lock: self }
    }

    /// Takes the lock if it is free. May be called against the order.
    #[inline]
    pub fn try_lock(&self) -> Option<Guard<'_, T>> {
        if self.held.swap(true, Ordering::Acquire) {
            return None;
        }
        crate::arch::imp::lock_taken(self.level);
        Some(Guard { lock: self })
    }

    /// A number that stays the lock's, in the order in which locks were first asked for theirs.
    fn number(&self) -> u32 {
        match self.number.load(Ordering::Relaxed) {
            0 => {}
            known => return known,
        }
        let fresh = NEXT_NUMBER.fetch_add(1, Ordering::Relaxed).max(1);
        let old = self
            .number
            .compare_exchange(0, fresh, Ordering::Relaxed, Ordering::Relaxed);
        old.map_or_else(|other| other, |_| fresh)
    }

    /// Whether somebody holds it just now.
    pub fn is_locked(&self) -> bool {
        self.held.load(Ordering::Relaxed)
    }

    /// What it protects, when nobody else can reach it.
    pub fn get_mut(&mut self) -> &mut T {
        self.data.get_mut()
    }
}

/// Takes two locks of one level, always in the same order: of their numbers, and not of their
/// addresses, so that a run on the simulated machine does not depend on what the process's heap
/// looks like. Both are the same lock: once, and `None`.
pub fn lock_pair<'a, T>(a: &'a Lock<T>, b: &'a Lock<T>) -> (Guard<'a, T>, Option<Guard<'a, T>>) {
    if core::ptr::eq(a, b) {
        return (a.lock(), None);
    }
    let place = |lock: &'a Lock<T>| (lock.number(), core::ptr::from_ref(lock));
    let swapped = place(a) > place(b);
    let (first, second) = if swapped { (b, a) } else { (a, b) };
    let g1 = first.lock();
    let g2 = loop {
        if let Some(guard) = second.try_lock() {
            break guard;
        }
        crate::arch::imp::relax();
    };
    if swapped {
        (g2, Some(g1))
    } else {
        (g1, Some(g2))
    }
}

impl<T: ?Sized> Deref for Guard<'_, T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the guard is the only one of its lock.
        unsafe { &*self.lock.data.get() }
    }
}

impl<T: ?Sized> DerefMut for Guard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above.
        unsafe { &mut *self.lock.data.get() }
    }
}

impl<T: ?Sized> Drop for Guard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        crate::arch::imp::lock_released(self.lock.level);
        self.lock.held.store(false, Ordering::Release);
    }
}

impl<T: core::fmt::Debug> core::fmt::Debug for Lock<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.try_lock() {
            Some(guard) => f.debug_tuple("Lock").field(&*guard).finish(),
            None => f.write_str("Lock(<held>)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::sim::SimMachine;
    use alloc::boxed::Box;

    /// Which lock waits for the other's holder must not hang on where the heap put them.
    #[test]
    #[cfg_attr(miri, ignore = "CPUs that run side by side are coroutines")]
    fn two_locks_are_taken_in_the_order_of_their_first_time() {
        let locks = [Lock::new(1, ()), Lock::new(1, ())];
        for [first, second] in [[0, 1], [1, 0]] {
            let locks = Box::new([Lock::new(1, ()), Lock::new(1, ())]);
            drop(lock_pair(&locks[first], &locks[second]));
            assert!(locks[first].number() < locks[second].number());
        }
        let order = [locks[1].number(), locks[0].number()];
        assert!(order[0] < order[1]);
        // Whoever waits for the second one has the first, however they were named.
        for [a, b] in [[0, 1], [1, 0]] {
            let machine = SimMachine::new(1, 2);
            machine.run(1, |cpu| {
                if crate::CpuApi::id(&cpu) == 0 {
                    let _held = locks[0].lock();
                    for _ in 0..1000 {
                        crate::relax();
                    }
                    assert!(locks[1].is_locked());
                } else {
                    while !locks[0].is_locked() {
                        crate::relax();
                    }
                    drop(lock_pair(&locks[a], &locks[b]));
                }
            });
        }
    }
}
