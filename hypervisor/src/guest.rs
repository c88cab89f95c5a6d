//! A guest's pointer: an allegation that is only ever copied through.

use crate::cx::Cx;
use core::marker::PhantomData;
use machine::CpuApi;
use xen_abi::Errno;
use xen_abi::arch_x86::HYPERVISOR_VIRT_END;
use xen_abi::compat::{Layout, Width};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// One past the low half of addresses.
const LOW_END: u64 = 1 << 47;

/// An array of `T` at a guest's virtual address. Whoever reads an element gets a copy, once.
#[derive(Debug)]
pub struct GuestPtr<T> {
    addr: u64,
    _of: PhantomData<fn() -> T>,
}

impl<T> Clone for GuestPtr<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for GuestPtr<T> {}

impl<T> GuestPtr<T> {
    /// What the guest says.
    pub const fn new(addr: u64) -> Self {
        GuestPtr {
            addr,
            _of: PhantomData,
        }
    }

    /// The address alleged.
    pub const fn addr(self) -> u64 {
        self.addr
    }

    /// Whether the guest passed a null handle.
    pub const fn is_null(self) -> bool {
        self.addr == 0
    }

    /// Whether the array can be a guest's at all, by its start: what Xen's calls look at before
    /// they do anything. A copy looks again. Errors: `EFAULT` for the hypervisor's addresses
    /// and those that do not exist.
    #[inline]
    pub fn check(self) -> Result<(), Errno> {
        if self.addr < LOW_END || self.addr >= HYPERVISOR_VIRT_END {
            Ok(())
        } else {
            Err(Errno::EFAULT)
        }
    }

    /// Element `index` on, of a type that has one form; of others [`Cx::at`] tells.
    pub const fn add(self, index: u64) -> Self
    where
        T: Layout<Compat = T>,
    {
        GuestPtr::new(
            self.addr
                .wrapping_add(index.wrapping_mul(size_of::<T>() as u64)),
        )
    }

    /// The same address as an array of `U`.
    pub const fn cast<U>(self) -> GuestPtr<U> {
        GuestPtr::new(self.addr)
    }

    /// The same type, `bytes` further on.
    pub const fn offset<U>(self, bytes: u64) -> GuestPtr<U> {
        GuestPtr::new(self.addr.wrapping_add(bytes))
    }
}

impl Cx<'_> {
    /// Element `index` of an array of the caller's.
    #[inline]
    pub fn at<T: Layout>(&self, list: GuestPtr<T>, index: u64) -> GuestPtr<T> {
        let size = T::size(self.width) as u64;
        GuestPtr::new(list.addr.wrapping_add(index.wrapping_mul(size)))
    }

    /// Copies a value from the guest, in the caller's form. Errors: `EFAULT`.
    #[inline]
    pub fn copy_in<T: Layout>(&mut self, ptr: GuestPtr<T>) -> Result<T, Errno> {
        if T::SAME || self.width == Width::W64 {
            self.get(ptr)
        } else {
            self.get(ptr.cast()).map(T::widen)
        }
    }

    /// Copies a value to the guest, in the caller's form. Errors: `EFAULT`.
    #[inline]
    pub fn copy_out<T: Layout>(&mut self, ptr: GuestPtr<T>, value: &T) -> Result<(), Errno> {
        self.copy_out_as(self.width, ptr, value)
    }

    /// As [`copy_out`](Self::copy_out), in the form of a width. Errors: `EFAULT`.
    #[inline]
    pub fn copy_out_as<T: Layout>(
        &mut self,
        width: Width,
        ptr: GuestPtr<T>,
        value: &T,
    ) -> Result<(), Errno> {
        if T::SAME || width == Width::W64 {
            self.put(ptr.addr, value)
        } else {
            self.put(ptr.addr, &value.narrow())
        }
    }

    /// `EFAULT` unless a pointer and what it points to, an array of `count`, can be the caller's.
    pub fn check_array<T: Layout>(&self, list: GuestPtr<T>, count: u64) -> Result<(), Errno> {
        let bytes = count.checked_mul(T::size(self.width) as u64);
        let bytes = bytes.and_then(|bytes| usize::try_from(bytes).ok());
        let ok = bytes.is_some_and(|bytes| machine::cpu::guest_va_ok(list.addr, bytes));
        ok.then_some(()).ok_or(Errno::EFAULT)
    }

    #[inline]
    fn get<T: FromBytes + IntoBytes>(&mut self, ptr: GuestPtr<T>) -> Result<T, Errno> {
        match self.cpu.get_guest(ptr.addr()) {
            Ok(value) => Ok(value),
            Err(_) => self.hvm_copy_in(ptr),
        }
    }

    #[inline]
    fn put<T: IntoBytes + Immutable>(&mut self, addr: u64, value: &T) -> Result<(), Errno> {
        match self.cpu.put_guest(addr, value) {
            Ok(()) => Ok(()),
            Err(_) => self.hvm_copy_out(addr, value.as_bytes()),
        }
    }

    /// While a hardware-virtualised vCPU is loaded, nothing of a guest's is mapped, so every
    /// copy of the processor's fails: this is where the guest's own tables are walked.
    #[cold]
    fn hvm_copy_in<T: FromBytes + IntoBytes>(&mut self, ptr: GuestPtr<T>) -> Result<T, Errno> {
        if self.st.hvm.is_none() {
            return Err(Errno::EFAULT);
        }
        let mut value = T::new_zeroed();
        match crate::hvm::read(self, ptr.addr(), value.as_mut_bytes()) {
            Ok(()) => Ok(value),
            Err(_) => Err(Errno::EFAULT),
        }
    }

    #[cold]
    fn hvm_copy_out(&mut self, addr: u64, bytes: &[u8]) -> Result<(), Errno> {
        if self.st.hvm.is_none() {
            return Err(Errno::EFAULT);
        }
        crate::hvm::write(self, addr, bytes).map_err(|_| Errno::EFAULT)
    }

    /// Copies bytes from the guest. Errors: `EFAULT`.
    pub fn copy_in_bytes(&mut self, ptr: GuestPtr<u8>, buf: &mut [u8]) -> Result<(), Errno> {
        match self.cpu.read_guest(ptr.addr(), buf) {
            Ok(()) => Ok(()),
            Err(_) if self.st.hvm.is_none() => Err(Errno::EFAULT),
            Err(_) => crate::hvm::read(self, ptr.addr(), buf).map_err(|_| Errno::EFAULT),
        }
    }

    /// Copies bytes to the guest. Errors: `EFAULT`.
    pub fn copy_out_bytes(&mut self, ptr: GuestPtr<u8>, buf: &[u8]) -> Result<(), Errno> {
        match self.cpu.write_guest(ptr.addr(), buf) {
            Ok(()) => Ok(()),
            Err(_) => self.hvm_copy_out(ptr.addr(), buf),
        }
    }
}
