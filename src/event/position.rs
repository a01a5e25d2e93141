//! Where an event stands: [`Position`] in its branch, [`Version`] in its entity.

use std::fmt;

macro_rules! ordinal {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u64);

        impl $name {
            /// Before the first: what an empty branch or entity stands at.
            pub const ZERO: Self = Self(0);
            /// After every other.
            pub const MAX: Self = Self(u64::MAX);

            /// The number as a value of this type.
            #[must_use]
            pub const fn new(number: u64) -> Self {
                Self(number)
            }

            /// The number.
            #[must_use]
            pub const fn get(self) -> u64 {
                self.0
            }

            /// The one after this.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }

            /// The one before this; before the first there is only [`ZERO`](Self::ZERO).
            #[must_use]
            pub const fn previous(self) -> Self {
                Self(self.0.saturating_sub(1))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

ordinal!(
    /// The place of an event in its branch: 1, 2, 3 … with no gap, the one total order.
    Position
);
ordinal!(
    /// The place of an event in its entity: 1, 2, 3 … with no gap, ever.
    Version
);
