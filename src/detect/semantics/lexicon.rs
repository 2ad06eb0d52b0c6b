//! Word lists. Data only; which list means what is said where it is used.

use std::collections::{HashMap, HashSet};
use std::sync::{LazyLock, OnceLock};

/// What a text is about, by single words, lower case: (name, words separated by spaces). Reported, never decided upon.
pub const TOPICS: &[(&str, &str)] = &[
    (
        "credentials",
        "password passwords passwd passphrase secret secrets token tokens credential credentials login pin otp apikey \
         api_key api-key passcode keystore oauth jwt bearer certificate passwort contraseña",
    ),
    (
        "identity",
        "ssn passport birthday birthdate dob surname nationality citizenship address email e-mail phone username \
         licence license maiden",
    ),
    (
        "finance",
        "bank iban swift bic account routing card cvv cvc visa mastercard amex paypal bitcoin wallet salary invoice \
         tax payment",
    ),
    (
        "health",
        "patient diagnosis prescription medication allergy symptom symptoms treatment hiv insurance doctor hospital",
    ),
    (
        "infrastructure",
        "server servers database hostname ssh sudo root firewall vpn endpoint kubernetes docker aws azure gcp \
         production deployment localhost dsn",
    ),
    (
        "instructions",
        "instruction instructions prompt prompts jailbreak override bypass ignore disregard forget pretend roleplay \
         unrestricted uncensored guideline guidelines restriction restrictions filter filters developer dan",
    ),
    (
        "code",
        "exec eval shell bash powershell script payload exploit malware virus ransomware keylogger backdoor rootkit \
         injection sql xss curl wget subprocess",
    ),
];

/// How many words the topics have.
pub fn topic_words() -> usize {
    TOPIC_OF.len()
}

/// The topic a word belongs to, in any case.
pub fn topic(word: &str) -> Option<&'static str> {
    TOPIC_OF.get(word.to_lowercase().as_str()).copied()
}

static TOPIC_OF: LazyLock<HashMap<&'static str, &'static str>> = LazyLock::new(|| {
    let words = TOPICS.iter().flat_map(|(name, words)| words.split_ascii_whitespace().map(move |word| (word, *name)));
    words.collect()
});

/// A list of words, written with spaces between them and looked up by hash.
pub(super) struct Words {
    text: &'static str,
    set: OnceLock<HashSet<&'static str>>,
}

impl Words {
    const fn new(text: &'static str) -> Self {
        Words { text, set: OnceLock::new() }
    }

    pub(super) fn contains(&self, word: &str) -> bool {
        self.set.get_or_init(|| self.text.split_ascii_whitespace().collect()).contains(word)
    }
}

/// Abbreviations that stand before something, without their last point.
pub(super) static NEVER_LAST: Words = Words::new(
    "mr mrs ms mx dr prof rev hon st gen col lt sgt capt gov sen rep pres messrs vs cf ca approx e.g i.e fig figs \
     eq eqs sec ch vol pp ed eds viz resp",
);

/// Abbreviations that may end a sentence: they do when a capital follows.
pub(super) static MAYBE_LAST: Words = Words::new(
    "etc inc ltd co corp jr sr al dept est ave blvd rd no jan feb mar apr jun jul aug sep sept oct nov dec mon tue \
     wed thu fri sat sun min max ph.d a.m p.m",
);

pub(super) static QUESTION_WORDS: Words = Words::new("what who whom whose which when where why how");

pub(super) static AUXILIARIES: Words = Words::new(
    "is are was were am be been do does did can could will would shall should may might must has have had isn't \
     aren't wasn't weren't don't doesn't didn't can't couldn't won't wouldn't shouldn't hasn't haven't hadn't",
);

/// After an auxiliary at the start these make a question.
pub(super) static SUBJECTS: Words = Words::new(
    "i you he she it we they this that these those there the a an my your his her its our their any anyone anybody \
     someone everyone one all",
);

/// A clause that starts with one of these is a condition for what follows its comma.
pub(super) static SUBORDINATORS: Words =
    Words::new("if when whenever once before after for from to in unless until while as given using based with");

/// Skipped before a command.
pub(super) static FILLERS: Words = Words::new(
    "please pls kindly now then first second third next finally lastly also just so and but or ok okay hey hi \
     hello again instead simply immediately step well",
);

/// After "let".
pub(super) static OBJECTS: Words = Words::new("me us him her it them the this that my your");

/// Base forms that open a command to an assistant or in a manual.
pub(super) static VERBS: Words = Words::new(
    "accept access achieve act add adjust adopt agree allow analyse analyze answer append apply approve arrange \
     ask assess assign assist assume attach avoid become begin behave book break bring browse build bypass \
     calculate call cancel categorize change check choose cite classify clean clear click close code collect \
     combine come comment compare compile complete compose compress compute conclude confirm connect consider \
     construct continue convert copy correct count craft create debug decide decode decrypt define delete \
     demonstrate deploy derive describe design detail detect determine develop disable discuss display disregard \
     divide download draft draw drop dump echo edit elaborate emulate enable encode encrypt end ensure enter \
     enumerate erase establish estimate evaluate examine execute expand explain explore export expose extract \
     fetch fill filter find finish fix focus follow forget format formulate forward generate get give go grab \
     grant group guess guide hack handle help hide highlight identify ignore illustrate imagine implement import \
     improve include increase indicate infer insert inspect install interpret introduce invent investigate join \
     keep launch learn leave limit list listen load locate log look make map mark match measure mention merge \
     modify monitor move name note obey observe offer omit open operate optimize order organize outline output \
     override paraphrase parse paste pay perform pick plan play plot post predict prepare present pretend print \
     process produce proofread propose prove provide pull push put query quote rank rate read rearrange recall \
     recommend record reduce refactor refer refrain refuse remember remind remove rename render repeat rephrase \
     replace reply report represent request research reset resolve respond restart restore return reveal reverse \
     review revise rewrite roleplay run save say scan schedule search select send separate set share show simplify \
     simulate skip solve sort speak specify spell split start state stop store submit substitute suggest summarise \
     summarize support suppose switch take talk teach tell test think trace track train transcribe transfer \
     transform translate treat try turn type understand undo update upgrade upload use validate verify view visit \
     wait walk watch work wrap write",
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_has_one_topic_and_is_lower_case() {
        let words: Vec<&str> = TOPICS.iter().flat_map(|(_, words)| words.split_ascii_whitespace()).collect();
        let distinct: std::collections::BTreeSet<_> = words.iter().collect();
        assert_eq!(words.len(), distinct.len());
        assert!(words.iter().all(|word| *word == word.to_lowercase()));
    }
}
