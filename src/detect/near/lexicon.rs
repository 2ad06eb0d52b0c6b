//! The words read around a token. Data only; what follows from a word is said where it is used.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::LazyLock;

/// What follows is a secret if it is given a value.
pub(super) const STRONG: u16 = 1 << 0;
/// What has to do with credentials.
pub(super) const WEAK: u16 = 1 << 1;
/// What follows is a digest, a revision or a name given by a machine.
pub(super) const DIGEST: u16 = 1 << 2;
/// Before "key" or "token" they make something of it that opens no door.
pub(super) const QUALIFIER: u16 = 1 << 3;
/// Directly before a value: "the key is ...", "set the token to ...".
pub(super) const CONNECTOR: u16 = 1 << 4;
/// An identifier, also with its owner in the same word.
pub(super) const ID: u16 = 1 << 5;
/// Whose identifier is half of a credential.
pub(super) const ID_OWNER: u16 = 1 << 6;
/// Services by names that mean nothing else.
pub(super) const VENDOR: u16 = 1 << 7;
/// Services named by an ordinary word: it takes a word for a credential as well.
pub(super) const COMMON_VENDOR: u16 = 1 << 8;

/// What a lower-case word is: the constants above, added up; 0 for most words.
pub(super) fn meaning(word: &[u8]) -> u16 {
    let Some(first) = word.first() else { return 0 };
    let lengths = LENGTHS[usize::from(*first)];
    if lengths.checked_shr(word.len() as u32).is_none_or(|lengths| lengths & 1 == 0) {
        return 0;
    }
    MEANINGS.get(word).copied().unwrap_or(0)
}

/// The same, and a longer word that begins with the name of a service is its name: `algoliaadmin`.
pub(super) fn meaning_or_beginning(word: &[u8]) -> u16 {
    let mut ends = SHORTEST_BEGINNING..word.len().min(LONGEST_BEGINNING);
    let begins = || word.get(..SHORTEST_BEGINNING).is_some_and(|beginning| BEGINNINGS.contains(beginning));
    match meaning(word) {
        0 if begins() && ends.any(|end| word.get(..end).is_some_and(|name| meaning(name) & VENDOR != 0)) => VENDOR,
        known => known,
    }
}

/// The words that mean one of `meanings`.
pub(super) fn with(meanings: u16) -> impl Iterator<Item = &'static [u8]> {
    MEANINGS.iter().filter(move |(_, known)| **known & meanings != 0).map(|(word, _)| *word)
}

const SHORTEST_BEGINNING: usize = 5;
const LONGEST_BEGINNING: usize = 16;

/// What the names of services that are long enough begin with.
static BEGINNINGS: LazyLock<HashSet<&'static [u8], BuildHasherDefault<Fnv>>> =
    LazyLock::new(|| with(VENDOR).filter_map(|name| name.get(..SHORTEST_BEGINNING)).collect());

static MEANINGS: LazyLock<HashMap<&'static [u8], u16, BuildHasherDefault<Fnv>>> = LazyLock::new(|| {
    let mut meanings = HashMap::default();
    for (meaning, words) in WORDS {
        for word in words.split_ascii_whitespace() {
            *meanings.entry(word.as_bytes()).or_insert(0) |= *meaning;
        }
    }
    meanings
});

/// By its first byte, which lengths a word has that means something: most words are told by that.
static LENGTHS: LazyLock<[u64; 256]> = LazyLock::new(|| {
    let mut lengths = [0; 256];
    for word in MEANINGS.keys() {
        if let Some(first) = word.first() {
            lengths[usize::from(*first)] |= 1_u64.checked_shl(word.len() as u32).unwrap_or(0);
        }
    }
    lengths
});

/// FNV-1a: for words of ten letters the keyed hash of the standard library takes most of the look-up, and no caller can
/// choose what is in this table.
#[derive(Clone)]
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Fnv(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, b| (hash ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3));
    }
}

const WORDS: &[(u16, &str)] = &[
    (
        STRONG,
        "accesskey accesstoken adminkey apikey apikeys apipass apisecret apitoken appkey appsecret apptoken authkey \
     authtoken bearer bearertoken bottoken chave clave clientsecret contrasena credential credentials creds \
     deploykey encryptionkey idtoken jeton jwtsecret kennwort key keys licensekey masterkey motdepasse passcode \
     passphrase passwd password passwort pat personalaccesstoken privatekey pwd readkey refreshtoken schluessel \
     secret secretkey secrets senha servicekey sessiontoken signingkey subscriptionkey token tokens usertoken \
     wachtwoord webhooksecret writekey",
    ),
    (
        WEAK,
        "401 403 access api apis appid auth authenticate authenticated authentication authorization client clientid \
     committed compromised conn connection cookie csrf deactivate dsn encryption expose exposed forbidden \
     invalidate jwt leak leaked licence license login oauth oauth2 otp pass paste pasted pepper pin private \
     regenerate revoke revoked rotate rotated salt saml sas sdk seed session sessionid sid sig signature signin \
     signing sso ssws totp unauthorized webhook",
    ),
    (
        DIGEST,
        "blake blake2 blake2b blake3 blob block branch build buildid cert certificate checkout checksum checksums \
     cherry commit commitid commits correlation correlationid crates crc crc32 digest digests docker etag etags \
     eventid expected fingerprint gif guid h1 hash hashed hashes head href image index integrity iv jpeg jpg \
     layer manifest md4 md5 md5sum merge messageid nonce oci oid output parent png pubkey ref refs registry \
     request requestid resolved rev revision revisionid revs sha sha1 sha1sum sha2 sha224 sha256 sha256sum sha3 \
     sha384 sha512 shasum snapshot sourcemap span spanid src ssh svg tag tarball tarballs tgz thumbprint trace \
     traceid traceparent transaction tree tx txid txn uuid woff woff2 zip",
    ),
    (
        QUALIFIER,
        "bucket cache column composite continuation cursor dedup deduplication dictionary foreign group hot i18n \
     idempotency join lookup map next nextpage object page pagination partition primary public publishable \
     registry routing row s3 shard sort translation unique",
    ),
    (CONNECTOR, "are as e equals es est is ist jest lautet str string to val value was"),
    (ID, "id sid clientid appid accountid accountsid applicationid consumerid keyid"),
    (
        ID_OWNER,
        "client clientid app appid application applicationid consumer consumerid oauth accountsid key keyid \
     merchant developer partner api access",
    ),
    (
        VENDOR,
        "abstractapi abuseipdb accuweather activecampaign acuity acuityscheduling adafruit adafruitio adobeio adroll \
     adyen aerisapi aerisweather agora agoraio ahrefs airbrake airship airtable airvisual aiven akamai alchemy \
     alchemyapi alegra algolia alibaba alienvault aliyun aliyunoss allsports alphavantage amadeus amazonaws \
     ambee amplitude amplitudeapi anthropic anypoint apideck apiflash apify apilayer apimatic apimetrics \
     apininjas apitemplate apollographql appcenter appcues appdynamics appfollow appointedd appoptics appsflyer \
     appsmith appspot appsync apptivo appveyor appwrite apruve arangodb argocd artifactory asana assemblyai \
     atera atlassian audd auddio auth0 authorizenet authress autodesk avalara avaza aviationstack axonaut aylien \
     ayrshare azuread azuredevops azureml backblaze backtrace baidu bamboohr bannerbear baremetrics baserow \
     baseten bce beebole besttime betterstack bigcommerce bilibili billomat binance bingmaps binlist bitbar \
     bitbucket bitcoinaverage bitfinex bitly bitmex bitrise bitwarden blablabus blackfire blazemeter blitapp \
     blockchain blockfrost blocknative blogger bluesnap blynk bombbomb borgbase botsify braintree braintrust \
     brandfetch brevo brightlocal browserless browserstack browshot bscscan btcpay buddyns budibase bugherd \
     bugsnag buildkite builtwith bulksms bunnycdn buttercms bynder bytedance caflou calendarific calendly \
     calorieninja campayn cannyio capsulecrm captaindata carboninterface cashboard caspio censys centralstation \
     cerebras cexio chartmogul chatbase chatfuel chatwoot checkmarket checkr checkvist circleci clarifai \
     clearbit clerkio clickhelp clickhouse clicksend clickup clockify clockworksms closecrm cloudant \
     cloudconvert cloudelements cloudflare cloudimage cloudinary cloudmersive cloudplan cloudsight cloudsmith \
     cloudways cloverly cloze codacy codeclimate codecov codemagic codequiry codiga coinapi coinbase coingecko \
     coinlayer coinlib coinmarketcap collect2 commercejs companyhub confluent contentful contentstack convertapi \
     convertkit couchbase countrylayer coveralls coze craftmypdf crossbrowsertesting crossref crowdin \
     cryptocompare currencycloud currencyfreaks currencylayer currencyscoop currentsapi customerio d7network \
     dailyco dandelion dareboost dashscope databox databricks datadog datadoghq datafire datagov dataiku \
     debounce deepai deepgram deepinfra deepl deepseek delighted deputy detectify detectlanguage deviantart \
     dfuse diffbot diggernaut digicert digitalocean dingtalk discogs discord discordapp disqus ditto dnscheck \
     dnsimple dockerhub docparser documo docusign doppler dotdigital dotmailer dovico dreamhost dronahq droneci \
     dropbox dropboxapi dwolla dynadot dynalist dynatrace dyspatch easyinsight easypost ebay ebayapi edamam \
     edenai elasticemail elasticsearch elevenlabs emailoctopus enablex endorlabs envoyapi envoyproxy epsilla \
     esendex etherscan etherum ethplorer etsy etsyapi eventbrite everhour exchangerate exchangeratesapi \
     extractorapi facebook faceplusplus fastforex fastly fastspring faunadb feedier feishu fibery figma fileio \
     finage financialmodelingprep finnhub firebase firecrawl fireworks fixerio flatio fleetbase flexport flickr \
     flightapi flightlabs flightstats flowdash flowdock flowflu flutterwave flyio forecastio formbucket \
     formcraft formio formsite foursquare frameio freeclimb freecurrency freshbooks freshdesk freshservice \
     freshworks fullcontact fullstory fusebill fxmarket gainsight gcore gengo geoapify geocode geocodify \
     geocodio geoipifi geokeo geonames getaccept getemail getemails geteventstore getgeoapi getgist getresponse \
     getsandbox getui ghostery giphy gitea gitguardian github githubapp gitlab gitpod gitter glassnode gocanvas \
     gocardless godaddy goodday goodreads googleapis googlemaps gorgias grafana grafanacloud graphcms \
     graphhopper gravitee greenhouse groovehq groq gtmetrix gumroad guru gyazo hackerone happyscribe hashicorp \
     hasura heatmapapi helcim hellosign helpcrunch helpscout heroku herokuapp heygen hiddenlayer highlightio \
     hiveage holidayapi honeybadger honeycomb hopin hostinger hotjar html2pdf huaweicloud hubspot hubspotapi \
     huggingface hunterio hybiscus hygraph hypertrack ibmcloud iconfinder iexcloud imagekit imagga imgbb imgix \
     imgur impala improvmx influxdb infobip infracost infura insightly instabot instagram instamojo intellifi \
     interseller intrinio invoiceocean ipapi ipdata ipgeolocation ipify ipinfo ipinfodb ipquality ipqualityscore \
     ipstack ironmq iterable jenkins jfrog jira jiratoken jotform jpush jsonbin judge0 juicyscore jumio \
     jumpcloud jumpseller kakao kaleyra kanbantool karmacrm kayako keycdn keygen kickbox kickstarter kinsta \
     klaviyo klipfolio knapsackpro kommo kontent kraken krakenapi kucoin kustomer kylas lambdatest landbot \
     langchain langfuse langsmith languagelayer lark larksuite launchdarkly leadfeeder leancloud leaseweb \
     ledgerx lemlist lemonsqueezy lendflow lessannoyingcrm lexigram lineapi linearapi linemessaging linenotify \
     linkedin linkpreview linode liveagent livechat livekit livestorm llamaindex loadmill lob logdna logflare \
     loggly logglytoken loginradius logrocket logz logzio lokalise lunchmoney luno mabl macaddress madkudu \
     magento magicbell mailboxlayer mailchimp mailerlite mailersend mailgun mailjet mailjetbasicauth mailjetsms \
     mailmodo mailsac mailtrap mandrill mapbox mapquest marketo marketstack mattermost mavenlink maxmind \
     meaningcloud mediastack meetup meilisearch mercadopago mercari mesibo messagebird metaapi metabase metrilo \
     microcms midise milvus mindmeister minimax minio mistralai mixcloud mixmax mixpanel modernmt mojohelpdesk \
     mollie moloni monkeylearn moonclerk moonshot moosend moralis moralisapi mparticle mqtt mrticktock \
     myfreshworks myintervals nasdaq nasdaqdatalink naver netcore nethunt netlify netsuite neutrinoapi newrelic \
     newsapi newscatcher nexmo nexmoapi nftport ngrok nicereply nightfall notionapi novu nozbe nozbeteams npm \
     npmjs npmtoken nuget numverify nutritionix nvapi nylas nytimes oanda ocrspace okta omnisend onedesk \
     onelogin onepagecrm onesignal onfido onfleet onwater oopspam openai openaiapi opencage opencagedata \
     openexchangerates opengraphr openrouter openuv openvpn openweather openweathermap opsgenie optidash \
     optimizely oraclecloud orbitsdk ory outreachio owlbot packagecloud packagist pagarme pagerduty paloalto \
     pandadoc pandascore paperform paperspace parabola paralleldots parsehub parsers parseur particle \
     partnerstack pastebin pathfix payfast payfit paymo paymongo paypal paypaloauth payscale paystack pdflayer \
     pdfmonkey pdfshift peopledatalabs pepipost perplexity pexels phaxio phishlabs phonevalidator phraseapp \
     pinata pinboard pinecone pingdom pinterest pipedream pipedrive pivotaltracker pixabay plaid plaidkey \
     planetscale planview planviewleankit planyo plesk pleskapi plivo podio poloniex polygonio polygonscan \
     portainer postageapp posthog postmark postmarkapp powrbot prefect privacycloud privatbank procfu prodpad \
     productboard proofhub prospectcrm protocolsio proxycrawl pubnub pulumi purestake pushbullet pusher pushover \
     pushpushgo pypi qdrant qiniu qonto quaderno qualaroo qualtrics quandl qubole quickbase quickbooks \
     quickmetrics quickpay rabbitmq rapidapi razorpay reallysimplesystems rebrandly rechargepayments recraft \
     recruitee recurly redash redislabs refiner remotive removebg rentman repairshopr replicate replit replyio \
     requestfinance restpack restpackhtmltopdfapi restpackscreenshotapi revampcrm revenuecat reversecontact \
     rightscale ringcentral riotgames ritekit roaring robinhood rocketchat rocketreach rollbar rootly route4me \
     rownd rubygems runpod runrunit runscope runwayml sageintacct saladcloud salesblink salescookie salesflare \
     salesforce salesloft salesmate salsify samsara satismeter saucelabs saucenao scaleway scalingo scalr \
     scrapeowl scraperapi scraperbox scrapersite scraperstack scrapestack scrapfly scrapingant scrapingbee \
     scrapingdog screenshotapi screenshotlayer scrutinizer searchapi searchbing securitytrails segmentapi \
     segmentio selectpdf semaphore semaphoreci semrush sendbird sendbirdorganizationapi sendcloud sendgrid \
     sendinblue sendpulse sendy sentinelone sentry sentryio serpapi serperdev serpstack serveo servicenow \
     sevdesk sheety sherpadesk shipday shipengine shippo shipstation shodan shopify shopware shortcut shotstack \
     shutterstock signable signalwire signaturit signhouse signupgenius signzy sigopt siliconflow simfin \
     similarweb simplenote simplesat simplybook simplynoted simvoly sinch sinchmessage sirv sitebulb siteleaf \
     skrapp skrappio skubana skybiometry slack slackbot slackwebhook smartling smartrecruiters smartsheet \
     smartystreets smooch smsapi snipcart snipcartapi snowflake snyk softlayer solana solarwinds sonarcloud \
     sonarqube sourcegraph sparkpost speechmatics speechtext splunk splunkobservability spoonacular sportradar \
     sportsmonk spotify spotinst sqreen squareapp squarespace squareup sslmate stabilityai stackblitz stackhawk \
     stackoverflow statsig statuscake statuspage statuspal steamapi stitchdata stockdata stormboard stormglass \
     storyblok storychief strapi strava stripe stripo stytch sugester sumologic sumsub supabase supernotes \
     surveyanyplace surveybot surveymonkey surveysparrow survicate swaggerhub swiftype synthesia tailscale \
     talkjs taskrabbit tatum tatumio taxjar teamcity teamgate teamwork teamworkcrm teamworkdesk teamworkspaces \
     technicalanalysisapi tefter telegram telegrambot telesign teletype telnyx tencent tencentcloud terraform \
     terraformcloud testingbot text2data textlocal textmagic theoddsapi thinkific thousandeyes threatstack \
     thycotic ticketmaster tickettailor tiingo timecamp timezoneapi tineswebhook tmetric todoist togetherai \
     toggl toggltrack tomorrowio tomtom tradier transferwise transloadit travelpayouts travelperk travis \
     travisci trello trelloapikey trufflehog trustpilot trustwave turbonomic tuya twelvedata twilio twitch \
     twitter tyntec typeform typetalk ubidots uclassify ultravox umeng unifyid unsplash upcdatabase uplead \
     uploadcare upstash uptimerobot upwave upwork urlscan usersnap userstack uservoice vatlayer veevavault \
     vercel verifier verimail veriphone verizonmedia versioneye viewneo vimeo virustotal visualcrossing \
     voicegain volcengine vonage voodoosms vouchery voyageai vpnapi vultr vyte wakatime walkscore wandb \
     weatherapi weatherbit weatherstack weaviate webex webexbot webflow webscraper webscraping websitepulse \
     wechat weixin wepay whatcms whatfix whatsapp whoisxml whoxy wistia woocommerce woopra wordpress workday \
     workos worksnaps workstack wrike wubook wunderground xai xata xero xiaomi yahoo yandex yelp ynab \
     youneedabudget youtube zapier zapierwebhook zapscan zendesk zendeskapi zenkit zenkitapi zenrows zenscrape \
     zenserp zeplin zerobounce zerossl zerotier zhipu zhipuai zipapi zipbooks zipcodeapi zipcodebase zoho \
     zohocrm zonkafeedback zoomus zulip zulipchat zuora zyte",
    ),
    (
        COMMON_VENDOR,
        "ai21 amazon apify apollo apple aws azure basecamp beamer bing bitcoin box buffer canva clerk coda cohere \
     confluence consul copilot cypress deel deno docker drift dropbox ebay elastic ethereum fauna front gcloud \
     gcp gemini ghost google granola gusto harvest ibm ide intercom kafka kubernetes lightspeed linear llama \
     mailgun mastodon medium mercury meta microsoft miro mistral modal monday mux mysql neon notion ntfy \
     office365 oracle orb orca outreach paddle pendo pinned planet plausible postgres postman prometheus railway \
     ramp raven reddit redis render resend retool rocket rome runway segment sentinel skype snapchat snowplow \
     sprig square stability tableau tavily tiktok tumblr uber vault veriff video vimeo wix wiz zoom",
    ),
];
