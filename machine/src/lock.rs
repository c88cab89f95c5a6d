//! The one kind of lock.
//!
//! Why unsafe: hands out a reference to what it protects. Invariant: the host runs with
//! interrupts off, so a lock is never wanted by the CPU that holds it unless the code is wrong;
//! the order of locks is checked at run time where debug assertions are on (on the simulated
//! machine always), by a level that each lock is made with: a CPU takes them in rising order.
//! Whoever waits answers TLB flush requests meanwhile.

use core::cell::UnsafeCell;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicBool, Ordering};

/// A spin lock around a `T`.
pub struct Lock<T: ?Sized> {
    held: AtomicBool,
    level: u8,
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

    /// Whether somebody holds it just now.
    pub fn is_locked(&self) -> bool {
        self.held.load(Ordering::Relaxed)
    }

    /// What it protects, when nobody else can reach it.
    pub fn get_mut(&mut self) -> &mut T {
        self.data.get_mut()
    }
}

/// Takes two locks of one level, always in the same order of addresses.
pub fn lock_pair<'a, T>(a: &'a Lock<T>, b: &'a Lock<T>) -> (Guard<'a, T>, Option<Guard<'a, T>>) {
    if core::ptr::eq(a, b) {
        return (a.lock(), None);
    }
    let swapped = core::ptr::from_ref(a) > core::ptr::from_ref(b);
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
