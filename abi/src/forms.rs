//! The few forms in which this crate writes the interface down: tables of
//! numbers, unions as raw words, and zeroed defaults.

/// Defines constants of one type with one line of documentation; with a name
/// after the type, also a table of the names and numbers.
macro_rules! numbers {
    (#[$doc:meta] $ty:ty; $($name:ident = $value:expr;)*) => {
        $(
            #[$doc]
            pub const $name: $ty = $value;
        )*
    };
    (#[$doc:meta] $ty:ty, $table:ident; $($name:ident = $value:expr;)*) => {
        $(
            #[$doc]
            pub const $name: $ty = $value;
        )*
        /// The constants of this group, by name.
        pub const $table: &[(&str, $ty)] = &[$((stringify!($name), $value)),*];
    };
}

/// Implements [`Payload`] for structures whose C form has a union, kept as raw
/// words in the named field.
macro_rules! payload {
    ($($ty:ident . $field:ident;)*) => {
        $(
            impl $crate::forms::Payload for $ty {
                fn payload(&self) -> &[u8] {
                    zerocopy::IntoBytes::as_bytes(&self.$field)
                }

                fn payload_mut(&mut self) -> &mut [u8] {
                    zerocopy::IntoBytes::as_mut_bytes(&mut self.$field)
                }
            }
        )*
    };
}

/// Implements `Default` as all zeros, where arrays are too long to derive it.
macro_rules! zeroed_default {
    ($($ty:ident),*) => {
        $(
            impl Default for $ty {
                fn default() -> Self {
                    zerocopy::FromZeros::new_zeroed()
                }
            }
        )*
    };
}

use zerocopy::{FromBytes, Immutable, IntoBytes};
pub(crate) use {numbers, payload, zeroed_default};

/// A structure that ends in, or is, a union: its arms are read and written as
/// plain types. Which arm is in use is told by a field outside the union.
pub trait Payload {
    /// The union's bytes.
    fn payload(&self) -> &[u8];

    /// The union's bytes, to change.
    fn payload_mut(&mut self) -> &mut [u8];

    /// The union read as `T`, from its start. An arm longer than the union does
    /// not exist; asking for one gives zeros.
    #[must_use]
    fn arm<T: FromBytes>(&self) -> T {
        T::read_from_prefix(self.payload()).map_or_else(|_| T::new_zeroed(), |(arm, _)| arm)
    }

    /// Writes `arm` at the union's start and leaves the rest as it is. An arm
    /// longer than the union is not written.
    fn set_arm<T: IntoBytes + Immutable>(&mut self, arm: &T) {
        let fits = arm.write_to_prefix(self.payload_mut());
        debug_assert!(fits.is_ok(), "the arm is longer than the union");
    }
}

#[cfg(test)]
mod tests {
    use super::Payload;
    use crate::domctl::{Domctl, DomctlMaxMem, DomctlMaxVcpus};

    #[test]
    fn an_arm_is_written_at_the_start_and_leaves_the_rest() {
        let mut op = Domctl {
            u: [u64::MAX; 16],
            ..Domctl::default()
        };
        op.set_arm(&DomctlMaxMem { max_memkb: 4096 });
        assert_eq!(op.arm::<DomctlMaxMem>().max_memkb, 4096);
        assert_eq!(op.u[0], 4096);
        assert_eq!(op.u[1], u64::MAX);
        op.set_arm(&DomctlMaxVcpus { max: 2 });
        assert_eq!(op.arm::<DomctlMaxVcpus>().max, 2);
    }
}
