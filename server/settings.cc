#include "server/settings.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "batcher/batch_former.h"
#include "server/feedback/database.h"

namespace bertha::server {
namespace {

static_assert(batcher::kMostBatchRequests == 512, "the help of batch.max_requests says so");
constexpr int64_t kDay = 86'400'000;

absl::Status NoneOf(const std::string& text, const std::vector<std::string>& choices) {
  return absl::InvalidArgumentError(absl::StrCat("\"", text, "\" is none of ", absl::StrJoin(choices, ", ")));
}

absl::Status Read(const Setting::Number& number, const std::string& text, Config& config) {
  int64_t parsed = 0;
  if (!absl::SimpleAtoi(text, &parsed) || parsed < number.min || parsed > number.max) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", text, "\" is not an integer from ", number.min, " to ", number.max));
  }
  config.*number.field = parsed;
  return absl::OkStatus();
}

absl::Status Read(const Setting::Text& kind, const std::string& text, Config& config) {
  const auto& [field, choices, shown] = kind;
  if (!choices.empty() && std::ranges::find(choices, text) == choices.end()) return NoneOf(text, choices);
  config.*field = text;
  return absl::OkStatus();
}

absl::Status Read(const Setting::Switch& kind, const std::string& text, Config& config) {
  if (text != "false" && text != "true") return NoneOf(text, {"false", "true"});
  config.*kind.field = text == "true";
  return absl::OkStatus();
}

std::string Written(const Setting::Number& kind, const Config& config) { return absl::StrCat(config.*kind.field); }

std::string Written(const Setting::Text& kind, const Config& config) {
  return kind.shown ? kind.shown(config.*kind.field) : config.*kind.field;
}

std::string Written(const Setting::Switch& kind, const Config& config) { return config.*kind.field ? "true" : "false"; }

}  // namespace

std::string Setting::Flag() const { return absl::StrCat("--", absl::StrReplaceAll(key, {{".", "-"}, {"_", "-"}})); }

absl::Status Setting::Set(const std::string& text, Config& config) const {
  return std::visit([&](const auto& kind) { return Read(kind, text, config); }, value);
}

std::string Setting::Get(const Config& config) const {
  return std::visit([&](const auto& kind) { return Written(kind, config); }, value);
}

const std::vector<Setting>& Settings() {
  using Number = Setting::Number;
  using Text = Setting::Text;
  using Switch = Setting::Switch;
  static const std::vector<Setting> settings = {
      {"grpc.address", Text{&Config::grpc_address, {}},
       "host:port that gRPC listens on; TLS if tls.certificate is set"},
      {"http.address", Text{&Config::http_address, {}},
       "host:port of HTTP: the same calls as JSON, metrics, health and the web page. Empty: off"},
      {"http.io_threads", Number{&Config::http_io_threads, 1, 64},
       "Threads that read, parse and write HTTP; one is enough unless it is always busy"},
      {"http.cors_origins", Text{&Config::http_cors_origins, {}},
       "Origins whose web pages may call this server from a browser, e.g. "
       "\"https://a.example,https://b.example:8443\"; *: any. Empty: none but the server's own"},
      {"http.max_connections", Number{&Config::http_max_connections, 1, 1 << 24},
       "Most open HTTP connections, and never more than three quarters of the files that the process may open; more "
       "are turned away with 503"},
      {"http.max_connections_per_client", Number{&Config::http_max_connections_per_client, 0, 1 << 24},
       "Most of them from one address that is no trusted proxy's; more are turned away with 429. 0: no limit"},
      {"http.max_requests_per_connection", Number{&Config::http_max_requests_per_connection, 1, int64_t{1} << 40},
       "The answer to so many closes a connection, so that clients spread over servers again"},
      {"http.max_header_bytes", Number{&Config::http_max_header_bytes, 512, 1 << 20},
       "Most bytes of a request's header; more get 431, and a target of more than half of it 414"},
      {"http.header_timeout_ms", Number{&Config::http_header_timeout_ms, 1, kDay},
       "Milliseconds for a request's header, and for a TLS handshake; then 408"},
      {"http.idle_timeout_ms", Number{&Config::http_idle_timeout_ms, 1, kDay},
       "Milliseconds between two requests, or before the first, until a connection is closed. Longer than that of a "
       "load balancer in front"},
      {"http.stream_idle_timeout_ms", Number{&Config::http_stream_idle_timeout_ms, 1, kDay},
       "Milliseconds in which nothing comes or goes until a stream is cut off"},
      {"http.rate_window_ms", Number{&Config::http_rate_window_ms, 1, kDay},
       "In each such time a body must bring, and a client that is answered must take, http.min_bytes_per_second; "
       "otherwise 408, or the connection is closed"},
      {"http.min_bytes_per_second", Number{&Config::http_min_bytes_per_second, 0, 1 << 20}, "See http.rate_window_ms"},
      {"admin.address", Text{&Config::admin_address, {}},
       "host:port of the service that loads and unloads models (ModelControl); whoever reaches it controls the "
       "server. Empty: off"},
      {"admin.http_address", Text{&Config::admin_http_address, {}},
       "host:port of the same service as JSON. Empty: off"},
      {"admin.tls", Switch{&Config::admin_tls},
       "TLS on the admin addresses too, with the files of tls.*; needed if it is not loopback"},
      {"probe.address", Text{&Config::probe_address, {}},
       "host:port that answers grpc.health.v1 and nothing else, without TLS: for probes that speak none, as "
       "kubelet's. Empty: off"},
      {"tls.certificate", Text{&Config::tls_certificate, {}},
       "PEM file of the server's certificate and its chain; with it all public ports speak TLS only. Read again "
       "when it changes. Empty: no TLS"},
      {"tls.key", Text{&Config::tls_key, {}}, "PEM file of its private key, without a passphrase"},
      {"tls.client_ca", Text{&Config::tls_client_ca, {}},
       "PEM file of authorities: only clients with a certificate of theirs are let in (mutual TLS). Empty: any client"},
      {"trusted_proxies", Text{&Config::trusted_proxies, {}},
       "Networks of proxies that are believed when they say whom they forward for, e.g. "
       "\"10.0.0.0/8,2001:db8::/32\". Empty: none; the client is who opened the connection"},
      {"trusted_proxy_header", Text{&Config::trusted_proxy_header, {"x-forwarded-for", "forwarded"}},
       "The header in which they say it; it must be the one that they set, since clients can send the other"},
      {"auth.tokens_file", Text{&Config::auth_tokens_file, {}},
       "File of bearer tokens, a line each: NAME SCOPES TOKEN, scopes of infer, feedback, admin with commas between "
       "them; sha256:HEX may stand for the token. Read again when it changes. Empty: everybody may infer and give "
       "feedback, and whoever reaches admin.address is admin"},
      {"models.directory", Text{&Config::models_directory, {}}, "Directory of packages: <models>/<name>/<version>/",
       "--models"},
      {"models.default", Text{&Config::models_default, {}},
       "Model of requests that name none. Empty: the only one that is loaded"},
      {"models.poll_ms", Number{&Config::models_poll_ms, 0, kDay},
       "Milliseconds between two looks at the directory: packages may be added, replaced and removed while the "
       "server runs. 0: only when ModelControl.Load is called"},
      {"models.max_memory_mb", Number{&Config::models_max_memory_mb, 0, 1 << 30},
       "Most megabytes of weights; a package that would need more is refused. While one is replaced both count. 0: "
       "three quarters of the container's memory limit, if it has one"},
      {"models.allow_empty", Switch{&Config::models_allow_empty},
       "Start without a package that can be served, and wait for one"},
      {"models.weights", Text{&Config::models_weights, {}},
       "Shares of the device when several models have work, e.g. \"a=3,b=1\"; 1 for those that are not named"},
      {"engine", Text{&Config::engine, {"auto", "fused", "torchscript"}},
       "What computes. fused: packed tokens, the processor's best instructions; torchscript: any module, padded, "
       "slower. auto: fused where it can"},
      {"dtype", Text{&Config::dtype, {"auto", "fp32", "bf16", "int8"}},
       "Numeric type of the fused engine. fp32 answers as the exported model did, to 1e-4; bf16 and int8 are faster "
       "and smaller, and must agree on the package's probes or the next type takes their place. auto: the fastest "
       "that does"},
      {"device", Text{&Config::device, {}},
       "Where models compute: cpu; cuda, all CUDA devices; cuda:0 or cuda:0,1, these. Workers take the devices in "
       "turn: cpu.workers is 0 or a multiple of their number"},
      {"cpu.workers", Number{&Config::cpu_workers, 0, 1024},
       "Batches that run side by side. More serve more texts per second and make each slower. 0: as many as have "
       "cores with the threads that the largest model is measured to need; one for each CUDA device"},
      {"cpu.threads", Number{&Config::cpu_threads, 0, 1024},
       "Threads of one forward pass. 0: the fewest that are nearly as fast as any other number up to the available "
       "cores, or a worker's part of them, measured when the model is loaded"},
      {"cpu.pin", Switch{&Config::cpu_pin},
       "Keep each worker and the fused engine's threads of its models on cores of their own, an equal part of the "
       "cores for each worker in the order of their numbers. On a machine with several NUMA nodes choose "
       "cpu.workers so that a part lies within one. Only where nobody else uses the cores"},
      {"batch.max_requests", Number{&Config::batch_max_requests, 1, batcher::kMostBatchRequests},
       "Most texts in one batch, up to 512"},
      {"batch.max_tokens", Number{&Config::batch_max_tokens, 1, 1 << 30},
       "Most tokens in one batch, padding included. Bounds how long an urgent request waits for a running batch"},
      {"queue.max_requests", Number{&Config::queue_max_requests, 1, 1 << 30},
       "Most texts that wait; beyond it calls get RESOURCE_EXHAUSTED at once"},
      {"queue.max_tokens", Number{&Config::queue_max_tokens, 1, int64_t{1} << 40}, "Most tokens that wait; likewise"},
      {"queue.default_deadline_ms", Number{&Config::queue_default_deadline_ms, 1, kDay},
       "Deadline in milliseconds of a call that sets none"},
      {"queue.max_delay_ms", Number{&Config::queue_max_delay_ms, 0, kDay},
       "Milliseconds that a batch which is not full may wait for more. 0: an idle worker starts at once"},
      {"queue.max_priority_delay_ms", Number{&Config::queue_max_priority_delay_ms, 1, kDay},
       "Milliseconds after which a waiting call is treated as one of the next higher priority"},
      {"queue.overload_target_ms", Number{&Config::queue_overload_target_ms, 0, kDay},
       "When even the shortest wait of a whole window is longer, calls without a deadline that waited longer are "
       "refused in favour of later ones, the lowest priority first. 0: never"},
      {"queue.overload_window_ms", Number{&Config::queue_overload_window_ms, 1, kDay}, "The window of the above"},
      {"queue.admission", Switch{&Config::queue_admission},
       "Refuse at once what cannot end by its deadline, as far as the model's speed is known"},
      {"queue.share_identical", Switch{&Config::queue_share_identical},
       "Compute identical texts that are in flight together once"},
      {"watchdog.stuck_after_ms", Number{&Config::watchdog_stuck_after_ms, 10, kDay},
       "A forward pass that takes longer is given up: its calls get UNAVAILABLE, and its model is NOT_SERVING until "
       "another one succeeds. While no worker answers nothing is, liveness included"},
      {"health.max_age_ms", Number{&Config::health_max_age_ms, 100, kDay},
       "A model is SERVING if a forward pass of it succeeded within so many milliseconds; one that nobody calls is "
       "asked one of its package's probes. Less than the largest batch takes would call a busy model dead"},
      {"health.max_faults", Number{&Config::health_max_faults, 1, 1000},
       "Forward passes in a row that fail before a model is NOT_SERVING, and that must succeed before it is again"},
      {"health.canary_interval_ms", Number{&Config::health_canary_interval_ms, 10, kDay},
       "Milliseconds between two probes of a model that is busy: an answer other than at load makes it NOT_SERVING"},
      {"costs.directory", Text{&Config::costs_directory, {}},
       "Where what was learnt of each model's speed is kept for the next start. auto: bertha/ in $XDG_CACHE_HOME or "
       "~/.cache. Empty: nowhere"},
      {"limits.max_inputs_per_call", Number{&Config::limits_max_inputs_per_call, 1, 1 << 20}, "Most texts in one call"},
      {"limits.max_text_bytes", Number{&Config::limits_max_text_bytes, 1, 1 << 30}, "Most bytes of one text"},
      {"limits.max_windows_per_input", Number{&Config::limits_max_windows_per_input, 1, 1 << 20},
       "Most windows that one long text is computed in"},
      {"limits.max_message_bytes", Number{&Config::limits_max_message_bytes, 1024, 1 << 30},
       "Most bytes of one gRPC message, or of the body of one HTTP request"},
      {"limits.max_stream_in_flight", Number{&Config::limits_max_stream_in_flight, 1, 1 << 20},
       "Unanswered requests of one stream before the server stops reading from it"},
      {"limits.requests_per_second", Number{&Config::limits_requests_per_second, 0, 1'000'000'000},
       "Calls and stream messages of one client per second, whatever they hold; beyond it they get "
       "RESOURCE_EXHAUSTED and the time to wait. A client is a token, or else an address (IPv6: the first 64 bits). "
       "0: no limit"},
      {"limits.burst", Number{&Config::limits_burst, 0, 1'000'000'000},
       "Calls that a client which has been quiet may make at once. 0: those of one second"},
      {"limits.max_connections", Number{&Config::limits_max_connections, 1, 1 << 24},
       "Most connections to a gRPC address; those beyond it are closed at once. Never more than the limit of open "
       "files leaves room for"},
      {"limits.max_connections_per_client", Number{&Config::limits_max_connections_per_client, 0, 1 << 24},
       "Most connections of one address (IPv6: of its first 64 bits). 0: no limit; behind a proxy all clients have "
       "its address"},
      {"limits.max_concurrent_streams", Number{&Config::limits_max_concurrent_streams, 1, 1 << 30},
       "Most calls under way on one connection; gRPC clients hold back those beyond it"},
      {"limits.max_resets_per_second", Number{&Config::limits_max_resets_per_second, 0, 1 << 30},
       "Calls that one connection may cancel per second, and once as many at once, before it is closed: opening and "
       "resetting streams at full speed is an attack. 0: any number"},
      {"limits.max_metadata_bytes", Number{&Config::limits_max_metadata_bytes, 1024, 1 << 24},
       "Most bytes of a gRPC call's headers"},
      {"limits.handshake_timeout_ms", Number{&Config::limits_handshake_timeout_ms, 100, kDay},
       "Milliseconds in which a new connection must have said hello, TLS included"},
      {"limits.max_connection_age_ms", Number{&Config::limits_max_connection_age_ms, 0, kDay},
       "Milliseconds after which a connection is asked to end (GOAWAY), give or take 10%, so that clients spread "
       "over new servers. 0: never"},
      {"limits.connection_age_grace_ms", Number{&Config::limits_connection_age_grace_ms, 0, kDay},
       "Milliseconds that its calls then have to end. 0: any time"},
      {"limits.max_connection_idle_ms", Number{&Config::limits_max_connection_idle_ms, 0, kDay},
       "Milliseconds without a call after which a connection is asked to end. 0: never"},
      {"limits.min_ping_interval_ms", Number{&Config::limits_min_ping_interval_ms, 0, kDay},
       "A client that sends more than two keepalive pings in shorter order is disconnected (ENHANCE_YOUR_CALM)"},
      {"feedback.database", Text{&Config::feedback_database, {}, feedback::WithoutPassword},
       "Where verdicts on answers are kept, with the texts: a file of SQLite, or postgresql://user@host/database "
       "(the password better in ~/.pgpass). Empty: nowhere, RecordFeedback gets FAILED_PRECONDITION"},
      {"feedback.retention_days", Number{&Config::feedback_retention_days, 0, 36'500},
       "Verdicts that are older are deleted. 0: never"},
      {"feedback.store_client_address", Switch{&Config::feedback_store_client_address},
       "Keep the address of who sent a verdict with it"},
      {"drain.lame_duck_ms", Number{&Config::drain_lame_duck_ms, 0, kDay},
       "After SIGTERM health says NOT_SERVING at once, and for so many milliseconds calls are still answered: load "
       "balancers need time to look elsewhere. SIGINT, which a person sends, does not wait"},
      {"drain.timeout_ms", Number{&Config::drain_timeout_ms, 0, kDay},
       "After that: milliseconds to finish what was accepted; then it is cut off"},
      {"log.format", Text{&Config::log_format, {"text", "json"}}, "text for people, json: one object a line"},
      {"log.requests", Text{&Config::log_requests, {"none", "errors", "all"}},
       "Calls to log, without their texts: none; errors: those that failed through no fault of the caller's; all"},
      {"log.level", Text{&Config::log_level, {"debug", "info", "warn", "error"}}, "Least important level to log"},
  };
  return settings;
}

}  // namespace bertha::server
