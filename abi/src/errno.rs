//! Error numbers: a hypercall returns them negated. `errno.h`.

use core::fmt;

/// Defines [`Errno`] and the names of its values.
macro_rules! errnos {
    ($($(#[$doc:meta])* $name:ident = $value:literal;)*) => {
        /// An error number of the interface. These are Xen's own, which are
        /// Linux' on x86 but need not be elsewhere.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(i32)]
        pub enum Errno {
            $($(#[$doc])* $name = $value,)*
        }

        impl Errno {
            /// Every error number, in order.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The name in the header, without `XEN_`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }
        }
    };
}

errnos! {
    /// Operation not permitted.
    EPERM = 1;
    /// No such entry.
    ENOENT = 2;
    /// No such domain or vCPU.
    ESRCH = 3;
    /// Interrupted (inside the hypervisor only).
    EINTR = 4;
    /// Input or output error.
    EIO = 5;
    /// No such device or address.
    ENXIO = 6;
    /// Argument list too long.
    E2BIG = 7;
    /// Not an executable.
    ENOEXEC = 8;
    /// Bad file number.
    EBADF = 9;
    /// No child.
    ECHILD = 10;
    /// Try again.
    EAGAIN = 11;
    /// Out of memory.
    ENOMEM = 12;
    /// Access denied.
    EACCES = 13;
    /// Bad guest address.
    EFAULT = 14;
    /// Busy.
    EBUSY = 16;
    /// Exists already.
    EEXIST = 17;
    /// Crosses devices.
    EXDEV = 18;
    /// No such device.
    ENODEV = 19;
    /// Not a directory.
    ENOTDIR = 20;
    /// A directory.
    EISDIR = 21;
    /// Invalid argument.
    EINVAL = 22;
    /// File table overflow.
    ENFILE = 23;
    /// Too many open files.
    EMFILE = 24;
    /// No space left.
    ENOSPC = 28;
    /// Read-only.
    EROFS = 30;
    /// Too many links.
    EMLINK = 31;
    /// Argument out of domain.
    EDOM = 33;
    /// Result out of range.
    ERANGE = 34;
    /// Would deadlock.
    EDEADLK = 35;
    /// Name too long.
    ENAMETOOLONG = 36;
    /// No lock left.
    ENOLCK = 37;
    /// Not implemented.
    ENOSYS = 38;
    /// Not empty.
    ENOTEMPTY = 39;
    /// No data.
    ENODATA = 61;
    /// Time is past.
    ETIME = 62;
    /// Not a data message.
    EBADMSG = 74;
    /// Value too large.
    EOVERFLOW = 75;
    /// Illegal byte sequence.
    EILSEQ = 84;
    /// To be restarted (inside the hypervisor only).
    ERESTART = 85;
    /// Not a socket.
    ENOTSOCK = 88;
    /// Message too long.
    EMSGSIZE = 90;
    /// Not supported.
    EOPNOTSUPP = 95;
    /// Address in use.
    EADDRINUSE = 98;
    /// Address not available.
    EADDRNOTAVAIL = 99;
    /// No buffers.
    ENOBUFS = 105;
    /// Connected already.
    EISCONN = 106;
    /// Not connected.
    ENOTCONN = 107;
    /// Timed out.
    ETIMEDOUT = 110;
    /// Connection refused.
    ECONNREFUSED = 111;
}

impl Errno {
    /// The same number as [`Errno::EAGAIN`].
    pub const EWOULDBLOCK: Self = Self::EAGAIN;
    /// The same number as [`Errno::EDEADLK`].
    pub const EDEADLOCK: Self = Self::EDEADLK;

    /// What a hypercall returns for this error: the number, negated.
    #[must_use]
    pub const fn neg(self) -> i64 {
        -(self as i64)
    }

    /// The error of a hypercall's result, if it is one that is known.
    #[must_use]
    pub fn from_result(result: i64) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|errno| errno.neg() == result)
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl core::error::Error for Errno {}

#[cfg(test)]
mod tests {
    use super::Errno;

    #[test]
    fn negation_and_back() {
        assert_eq!(Errno::ENOSYS.neg(), -38);
        for &errno in Errno::ALL {
            assert_eq!(Errno::from_result(errno.neg()), Some(errno));
        }
        assert_eq!(Errno::from_result(0), None);
    }
}
