//! Whether a text can be a secret's value: random enough, decodable, or simply not a placeholder, a variable or an expression.

use std::collections::HashSet;
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};

use super::random::{is_name, looks_drawn};

/// The first part of a JSON Web Token is base64url of an object with `alg` (RFC 7515 section 4.1).
pub(super) fn jwt(text: &str) -> bool {
    let header = text.split('.').next().unwrap_or_default();
    let Ok(json) = URL_SAFE_NO_PAD.decode(header.trim_end_matches('=')) else { return false };
    let Ok(serde_json::Value::Object(fields)) = serde_json::from_slice(&json) else { return false };
    fields.contains_key("alg") && text.matches('.').count() >= 2
}

/// RFC 7617: base64 of `user:password`, both printable.
pub(super) fn basic(text: &str) -> bool {
    let padded = format!("{}{}", text.trim_end_matches('='), ["", "", "==", "="][text.trim_end_matches('=').len() % 4]);
    let Ok(pair) = STANDARD.decode(&padded).or_else(|_| URL_SAFE.decode(&padded)) else { return false };
    let Some(colon) = pair.iter().position(|b| *b == b':') else { return false };
    colon + 1 < pair.len() && pair.iter().all(|b| *b >= b' ')
}

/// The value of something called a key, token or secret. Real ones have digits or look drawn; words and names are variables.
pub(super) fn credential(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let drawn = text.len() >= SHORTEST_WITHOUT_DIGITS && looks_drawn(text);
    (drawn || digits > 0 && !(digits <= MOST_IN_A_NAME && is_name(text)))
        && !is_placeholder(text)
        && !is_expression(text)
        && !is_dotted_number(text)
}

const SHORTEST_WITHOUT_DIGITS: usize = 16;
/// `aarch64-unknown-linux-gnu2`
const MOST_IN_A_NAME: usize = 5;

/// An object identifier, a version, a date.
fn is_dotted_number(text: &str) -> bool {
    text.matches(['.', '-', '/', ':']).count() > 1 && text.bytes().all(|b| b.is_ascii_digit() || b".-/:".contains(&b))
}

pub(super) fn password(text: &str) -> bool {
    let bare = text.trim_end_matches(['.', ',', '!', '?', ';', ':', ')']).to_ascii_lowercase();
    bare.len() > 2 && !is_placeholder(text) && !is_expression(text) && !LISTS.not_passwords.contains(&*bare)
}

pub(super) fn strong_password(text: &str) -> bool {
    let core = text.trim_end_matches(['.', ',', '!', '?', ';', ':', ')', '\'', '"']);
    let digit = core.bytes().any(|b| b.is_ascii_digit());
    let sign = core.bytes().any(|b| b"!@#$%^&*+=~?".contains(&b));
    let mixed = core.bytes().skip(1).any(|b| b.is_ascii_uppercase()) && core.bytes().any(|b| b.is_ascii_lowercase());
    core.len() > 3
        && (digit || sign || mixed)
        && !core.starts_with(|c: char| !c.is_ascii_alphanumeric() && core.len() < 6)
        && password(text)
}

/// What stands where a secret is to be filled in: `your_api_key_here`, `<token>`, `xxxx`, `****`, `REDACTED`. `changeme`, `admin` and `123456` are not among
/// them: they are the passwords of real machines, and masking one that is not costs a reader nothing.
fn is_placeholder(text: &str) -> bool {
    let lower = text.bytes().map(|byte| byte.to_ascii_lowercase());
    let letters: Vec<u8> = lower.filter(u8::is_ascii_alphanumeric).collect();
    let repeated = text.bytes().all(|b| text.bytes().next().is_some_and(|first| first.eq_ignore_ascii_case(&b)));
    let same = |three: &[u8; 3]| three.eq_ignore_ascii_case(&[three[0]; 3]) && b"xX*._#".contains(&three[0]);
    let filler = || text.as_bytes().array_windows().any(same);
    letters.is_empty()
        || repeated
        || filler()
        || letters.len() <= LONGEST_VALUE && LISTS.placeholder_values.contains(&*letters)
        || LISTS.placeholders.as_ref().is_some_and(|placeholders| placeholders.is_match(&letters))
}

/// The lists below, to be looked up.
struct Lists {
    placeholders: Option<AhoCorasick>,
    placeholder_values: HashSet<&'static [u8]>,
    not_passwords: HashSet<&'static str>,
    lookups: Vec<&'static str>,
}

static LISTS: LazyLock<Lists> = LazyLock::new(|| Lists {
    placeholders: AhoCorasick::new(PLACEHOLDERS.split_ascii_whitespace()).ok(),
    placeholder_values: PLACEHOLDER_VALUES.split_ascii_whitespace().map(str::as_bytes).collect(),
    not_passwords: NOT_PASSWORDS.split_ascii_whitespace().collect(),
    lookups: LOOKUPS.split_ascii_whitespace().collect(),
});

/// Anywhere in the value, read without its signs.
const PLACEHOLDERS: &str = "
    yourapi yourtoken yourkey yoursecret yourpass yourown youraccess yourclient yourauth yourdb yourservice
    yourprivate youropenai yourgithub mysecretkey placeholder redacted masked replaceme replacewith inserthere
    insertyour keyhere tokenhere secrethere passwordhere goeshere enteryour putyour addyour todo examplekey
    exampletoken examplesecret
";

/// The whole value, read without its signs.
const PLACEHOLDER_VALUES: &str = "
    null none nil undefined true false string str password passwd pwd pass secret token apikey key value example
    sample user username secretkey accesskey accesstoken authtoken clientsecret apitoken privatekey mypassword
    thepassword newpassword oldpassword somepassword userpassword dbpassword text hidden empty void bool char
    varchar optional required default any unknown na yourvalue confirmpassword currentpassword hashedpassword
    passwordhash 123 1 0 foo bar abc mytoken mysecret mykey myapikey
";

/// No value of the list is longer.
const LONGEST_VALUE: usize = 16;

/// A variable, a lookup or a call rather than a value.
fn is_expression(text: &str) -> bool {
    let first = text.bytes().next().map(|byte| byte.to_ascii_lowercase());
    let looked_up = |prefix: &&str| {
        prefix.bytes().next() == first
            && text.get(..prefix.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(prefix))
    };
    if !text.bytes().any(|byte| SIGNS.contains(&byte)) {
        return LISTS.lookups.iter().any(looked_up);
    }
    let call = text.ends_with(')') && text.contains('(') || text.contains("()");
    let interpolation = ["${", "{{", "<%", "#{", "%(", "&lt;"].iter().any(|mark| text.contains(mark));
    let bracketed = ['<', '[', '{'].iter().any(|open| text.starts_with(*open))
        && [']', '>', '}'].iter().any(|close| text.ends_with(*close));
    let percent = text.len() > 2 && text.starts_with('%') && text.ends_with('%');
    call || interpolation || bracketed || percent || is_shell_variable(text) || LISTS.lookups.iter().any(looked_up)
}

/// What all expressions but those of `LOOKUPS` have one of.
const SIGNS: &[u8] = b"(){}<>[]$#%&";

/// `$NAME`, `$name_2`; a dollar among other signs is part of a password.
fn is_shell_variable(text: &str) -> bool {
    text.strip_prefix('$').is_some_and(|name| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_' || b == b':' || b == b'.')
    })
}

const LOOKUPS: &str = "
    process.env os.environ os.getenv getenv env. env( env[ config. config[ settings. self. this. req. request.
    res. user. args. params. params[ data. data[ form. form[ body. secrets. vault. input( getpass credentials.
    options. var. local. module. system. session. props. state. event. context. ctx. opts. account. client.
    function lambda await http:// https:// arn: ref: !ref !sub op:// file:
";

/// What a sentence says about a password instead of giving it.
const NOT_PASSWORDS: &str = "
    fail failed required incorrect wrong invalid valid correct not empty expired missing weak strong too set reset changed
    protected stored hashed encrypted encoded saved shared used needed being now still also already never always
    the that this your his her their our its for and but with from one something anything what which where when
    who why how very really only just longer long short secure insecure safe unsafe unique same different good
    bad compromised leaked stolen lost forgotten known unknown visible hidden case sensitive managed generated
    provided supplied sent given entered typed checked verified validated accepted rejected denied updated
    important optional available unavailable disabled enabled locked blocked about going written at in on can
    may must should will would could has have had was were are does did you they she him them field fields input
    inputs manager policy hash hashes length string value file rules prompt protection private public personal
    simple complex easy hard random temporary permanent okay fine essential necessary commonly typically usually
    often sometimes currently automatically securely properly correctly incorrectly exactly
";

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use crate::detect::validate::Validator::*;

    #[test]
    fn every_value_of_the_list_is_looked_up() {
        let longest = super::PLACEHOLDER_VALUES.split_ascii_whitespace().map(str::len).max();
        assert!(longest.is_some_and(|longest| longest <= super::LONGEST_VALUE));
    }

    #[test]
    fn values_are_told_from_placeholders_and_expressions() {
        check(&[
            (
                Jwt,
                &["eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxIn0.c2ln"],
                &["eyJmb28iOiJiYXIifQ.eyJzdWIiOiIxIn0.c2ln", "eyJhbGciOiJIUzI1NiJ9", "a.b.c"],
            ),
            (
                Basic,
                &["QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "YWRtaW46T3JhbmdlQ29iYWx0NTEl"],
                &["QWxhZGRpbg==", "QWxhZGRpbjo=", "auth"],
            ),
            (
                Credential,
                &["951bc382db9abad29c68634761dd6e19", "SMMnBD9n7gRfENlynXOD6AZQSQX0jGxlDjkfc7OM"],
                &[
                    "your_api_key_here",
                    "YOUR-API-KEY-1",
                    "${API_KEY_2}",
                    "process.env.KEY2",
                    "get_token(1)",
                    "<token1>",
                    "xxxxxxxx1",
                    "********",
                    "null",
                    "accessTokenProviderFactory",
                    "user_token",
                ],
            ),
            (
                Password,
                &["hunter2", "swordfish", "changeme", "WinterWinter19$", "super$ecret", "123456", "pa(ss)word1"],
                &[
                    "required",
                    "incorrect.",
                    "your_password",
                    "getpass.getpass()",
                    "$PASSWORD",
                    "%nothing%",
                    "{{ pw }}",
                    "password",
                    "***",
                    "",
                    "no",
                ],
            ),
            (StrongPassword, &["hunter2", "Secret#Fox", "oFlVHgAct"], &["swordfish", "Correct", "hello!", "--", "ab1"]),
        ]);
    }
}
