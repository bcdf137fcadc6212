//! Enums of which each value is one word: the type, its words and the way back, from one list.

/// Declares an enum with a word for each of its values: `words! { Mode { On = "on", } }`.
/// Attributes go through, further derives too. With `wire;` before the name's own attributes it is
/// the word on the bus and in JSON as well (serde and zbus derive).
#[macro_export]
macro_rules! words {
    (wire; $(#[$doc:meta])* $type:ident { $($(#[$word_doc:meta])* $name:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[derive(serde::Serialize, serde::Deserialize, zbus::Type)]
        #[zbus(signature = "s")]
        pub enum $type {
            $($(#[$word_doc])* #[serde(rename = $text)] $name,)*
        }
        $crate::words!(@words $type { $($name = $text,)* });
    };
    (@words $type:ident { $($name:ident = $text:literal,)* }) => {
        impl $type {
            /// Its words, in the order of their declaration.
            pub const WORDS: &'static [&'static str] = &[$($text,)*];

            /// The word for it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// The value of this word.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($text => Some(Self::$name),)* _ => None }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
    ($(#[$doc:meta])* $type:ident { $($(#[$word_doc:meta])* $name:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $type {
            $($(#[$word_doc])* $name,)*
        }
        $crate::words!(@words $type { $($name = $text,)* });
    };
}

#[cfg(test)]
mod tests {
    use crate::{Decision, Origin};

    #[test]
    fn a_word_leads_back_to_its_value_alone() {
        assert_eq!(Origin::WORDS, ["request", "admin", "policy", "remote", "break-glass"]);
        for word in Origin::WORDS {
            assert_eq!(Origin::from_word(word).map(Origin::as_str), Some(*word));
        }
        for word in ["", "Admin", " admin", "BreakGlass", "breakglass"] {
            assert_eq!(Origin::from_word(word), None, "{word:?}");
        }
        assert_eq!(format!("[{:>8}]", Decision::Denied), "[  denied]");
    }
}
