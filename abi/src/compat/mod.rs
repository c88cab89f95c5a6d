//! How 32-bit code lays the interface out: pointers, `unsigned long` and frame numbers have 32
//! bits, and 64-bit numbers are aligned to 4 bytes.
//!
//! The types of the other modules are what a 64-bit guest writes. Each that is copied from or to
//! a guest is a [`Layout`]: it names its form in 32-bit code, which mostly is itself (`same`),
//! and how one becomes the other. A handler works on the 64-bit form alone.

mod areas;
mod calls;
mod grant_table;
mod memory;
mod same;

pub use areas::*;

use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

/// What a pointer and an `unsigned long` have in the code that makes a call, or that reads what
/// the hypervisor writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Width {
    /// 32 bits.
    W32,
    /// 64 bits.
    #[default]
    W64,
}

/// A type that a guest's memory holds.
pub trait Layout: FromBytes + IntoBytes + Immutable + Sized {
    /// Its form in 32-bit code.
    type Compat: FromBytes + IntoBytes + Immutable;
    /// Whether both forms are one.
    const SAME: bool = false;

    /// What 32-bit code wrote.
    fn widen(compat: Self::Compat) -> Self;

    /// What 32-bit code reads. Numbers that it has no room for are cut.
    fn narrow(&self) -> Self::Compat;

    /// Bytes of one in code of this width: its distance from the next in an array.
    #[must_use]
    fn size(width: Width) -> usize {
        match width {
            Width::W32 => size_of::<Self::Compat>(),
            Width::W64 => size_of::<Self>(),
        }
    }
}

/// An `unsigned long`, an `xen_pfn_t` or a handle in the caller's memory.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable,
)]
#[repr(transparent)]
pub struct Ulong(pub u64);

impl Layout for Ulong {
    type Compat = u32;

    fn widen(compat: u32) -> Ulong {
        Ulong(compat.into())
    }

    fn narrow(&self) -> u32 {
        self.0 as u32
    }
}

impl<T: Layout, const N: usize> Layout for [T; N] {
    type Compat = [T::Compat; N];
    const SAME: bool = T::SAME;

    fn widen(compat: Self::Compat) -> Self {
        compat.map(T::widen)
    }

    fn narrow(&self) -> Self::Compat {
        core::array::from_fn(|i| match self.get(i) {
            Some(item) => item.narrow(),
            None => T::Compat::new_zeroed(),
        })
    }
}

/// The byte at which a field lies, in code of a width.
#[macro_export]
macro_rules! field_offset {
    ($width:expr, $ty:ty, $field:ident) => {
        match $width {
            $crate::compat::Width::W32 => {
                core::mem::offset_of!(<$ty as $crate::compat::Layout>::Compat, $field)
            }
            $crate::compat::Width::W64 => core::mem::offset_of!($ty, $field),
        }
    };
}

/// A field of a structure in its two forms.
trait Field<C>: Sized {
    fn from_compat(compat: C) -> Self;
    fn to_compat(&self) -> C;
}

/// A 64-bit number that 32-bit code aligns to 4 bytes.
type U64 = zerocopy::little_endian::U64;

macro_rules! plain {
    ($($ty:ty)*) => {
        $(impl Field<$ty> for $ty {
            fn from_compat(compat: $ty) -> Self {
                compat
            }

            fn to_compat(&self) -> $ty {
                *self
            }
        })*
    };
}

plain!(u8 u16 i16 u32 i32 u64 [u16; 2]);

impl Field<u32> for u64 {
    fn from_compat(compat: u32) -> u64 {
        compat.into()
    }

    fn to_compat(&self) -> u32 {
        *self as u32
    }
}

impl Field<U64> for u64 {
    fn from_compat(compat: U64) -> u64 {
        compat.get()
    }

    fn to_compat(&self) -> U64 {
        U64::new(*self)
    }
}

impl<const N: usize> Field<[u32; N]> for [u64; N] {
    fn from_compat(compat: [u32; N]) -> Self {
        compat.map(u64::from)
    }

    fn to_compat(&self) -> [u32; N] {
        self.map(|word| word as u32)
    }
}

impl<const N: usize> Field<[U64; N]> for [u64; N] {
    fn from_compat(compat: [U64; N]) -> Self {
        compat.map(U64::get)
    }

    fn to_compat(&self) -> [U64; N] {
        self.map(U64::new)
    }
}

/// Padding, of whatever length.
impl<const N: usize, const M: usize> Field<[u8; M]> for [u8; N] {
    fn from_compat(_: [u8; M]) -> Self {
        [0; N]
    }

    fn to_compat(&self) -> [u8; M] {
        [0; M]
    }
}

/// Defines the 32-bit form of structures of [`crate`]. Fields of the 64-bit form that it lacks
/// are padding.
macro_rules! compat {
    ($($(#[$doc:meta])* $native:ty => $name:ident { $($field:ident: $ty:ty,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(
                Clone, Copy, Debug, zerocopy::FromBytes, zerocopy::IntoBytes,
                zerocopy::KnownLayout, zerocopy::Immutable,
            )]
            #[repr(C)]
            pub struct $name { $(pub $field: $ty,)* }

            impl $crate::compat::Layout for $native {
                type Compat = $name;

                #[allow(clippy::needless_update, reason = "some have no padding")]
                fn widen(compat: $name) -> Self {
                    Self {
                        $($field: $crate::compat::Field::from_compat(compat.$field),)*
                        ..zerocopy::FromZeros::new_zeroed()
                    }
                }

                fn narrow(&self) -> $name {
                    $name { $($field: $crate::compat::Field::to_compat(&self.$field),)* }
                }
            }

            impl $crate::compat::Field<$name> for $native {
                fn from_compat(compat: $name) -> Self {
                    $crate::compat::Layout::widen(compat)
                }

                fn to_compat(&self) -> $name {
                    $crate::compat::Layout::narrow(self)
                }
            }
        )*
    };
}

use compat;

#[cfg(test)]
mod tests;
