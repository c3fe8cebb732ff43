#include "server/component_options.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/config_validation.h"
#include "server/cores.h"
#include "server/memory_limit.h"

namespace bertha::server {
namespace {

using Ms = std::chrono::milliseconds;

size_t Size(int64_t value) { return static_cast<size_t>(value); }

/// What keeps each worker on its first core; its models' threads have the others of its part (EngineOptions::cores).
std::function<void(size_t, size_t)> PinningOf(const Config& config) {
  const std::vector<int> cores = CoreNumbers();
  if (!config.cpu_pin || cores.empty()) return {};
  return [cores](size_t worker, size_t workers) {
    const size_t share = std::max<size_t>(1, cores.size() / workers);
    const int core = cores[worker * share % cores.size()];
    if (!StayOnCore(core)) spdlog::warn("cpu.pin: worker {} cannot stay on core {}", worker, core);
  };
}

/// Empty: nowhere.
std::string CostsDirectoryOf(const Config& config) {
  if (config.costs_directory != "auto") return config.costs_directory;
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache && *cache) return absl::StrCat(cache, "/bertha");
  if (const char* home = std::getenv("HOME"); home && *home) return absl::StrCat(home, "/.cache/bertha");
  return "";
}

}  // namespace

models::EngineOptions EngineOptionsOf(const Config& config) {
  using models::EngineChoice;
  return {.engine = config.engine == "fused"         ? EngineChoice::kFused
                    : config.engine == "torchscript" ? EngineChoice::kTorchScript
                                                     : EngineChoice::kAuto,
          .dtype = config.dtype,
          .device = config.device,
          .batch_tokens = Size(config.batch_max_tokens),
          .replicas = Size(config.cpu_workers),
          .threads = static_cast<int>(config.cpu_threads),
          .max_threads = AvailableCores(),
          .cores = config.cpu_pin ? CoreNumbers() : std::vector<int>(),
          .quick_check = true};
}

batcher::DispatcherOptions DispatcherOptionsOf(const Config& config) {
  return {.queue = {.max_requests = Size(config.queue_max_requests),
                    .max_tokens = Size(config.queue_max_tokens),
                    .default_deadline = Ms(config.queue_default_deadline_ms),
                    .max_queue_delay = Ms(config.queue_max_delay_ms),
                    .max_priority_delay = Ms(config.queue_max_priority_delay_ms),
                    .overload_target = Ms(config.queue_overload_target_ms),
                    .overload_window = Ms(config.queue_overload_window_ms),
                    .admission = config.queue_admission,
                    .share_identical = config.queue_share_identical,
                    .workers = Size(config.cpu_workers)},
          .stuck_after = Ms(config.watchdog_stuck_after_ms),
          .on_worker_start = PinningOf(config)};
}

LoaderOptions LoaderOptionsOf(const Config& config) {
  const auto bytes = static_cast<uint64_t>(config.models_max_memory_mb) * 1'000'000;
  return {.limits = {.max_batch_requests = Size(config.batch_max_requests),
                     .max_batch_tokens = Size(config.batch_max_tokens)},
          .weights = *ParseWeights(config.models_weights),
          .costs_directory = CostsDirectoryOf(config),
          .max_bytes = bytes > 0 ? bytes : ContainerMemoryLimit() / 4 * 3};
}

WatcherOptions WatcherOptionsOf(const Config& config) {
  return {.directory = config.models_directory, .poll = Ms(config.models_poll_ms)};
}

HealthOptions HealthOptionsOf(const Config& config) {
  return {.max_age = Ms(config.health_max_age_ms),
          .max_faults = Size(config.health_max_faults),
          .canary_interval = Ms(config.health_canary_interval_ms)};
}

Access::Options AccessOptionsOf(const Config& config) {
  const auto per_second = static_cast<double>(config.limits_requests_per_second);
  return {.tokens_file = config.auth_tokens_file,
          .rate = {.per_second = per_second,
                   .burst = config.limits_burst > 0 ? static_cast<double>(config.limits_burst) : per_second}};
}

CallLimits CallLimitsOf(const Config& config) {
  return {.max_inputs = Size(config.limits_max_inputs_per_call),
          .max_text_bytes = Size(config.limits_max_text_bytes),
          .max_windows = Size(config.limits_max_windows_per_input),
          .max_response_bytes = Size(config.limits_max_message_bytes)};
}

RequestLog RequestLogOf(const Config& config) {
  return config.log_requests == "all"    ? RequestLog::kAll
         : config.log_requests == "none" ? RequestLog::kNone
                                         : RequestLog::kErrors;
}

feedback::FeedbackOptions FeedbackOptionsOf(const Config& config) {
  feedback::FeedbackOptions options;
  options.store_client_address = config.feedback_store_client_address;
  options.writer.retention_days = config.feedback_retention_days;
  return options;
}

ConnectionTable::Options ConnectionLimitsOf(const Config& config) {
  return {.max_connections = Size(config.limits_max_connections),
          .max_per_client = Size(config.limits_max_connections_per_client),
          .judge = {.max_resets_per_second = static_cast<uint64_t>(config.limits_max_resets_per_second),
                    .max_open_streams = static_cast<uint64_t>(config.limits_max_concurrent_streams),
                    .max_message_bytes = static_cast<uint64_t>(config.limits_max_message_bytes)}};
}

HttpServerOptions HttpServerOptionsOf(const Config& config) {
  return {.address = config.http_address,
          .io_threads = Size(config.http_io_threads),
          .limits = {.max_connections = Size(config.http_max_connections),
                     .max_connections_per_client = Size(config.http_max_connections_per_client),
                     .max_requests_per_connection = Size(config.http_max_requests_per_connection),
                     .max_header_bytes = Size(config.http_max_header_bytes),
                     .max_target_bytes = Size(config.http_max_header_bytes / 2),
                     .max_body_bytes = Size(config.limits_max_message_bytes),
                     .header_timeout = Ms(config.http_header_timeout_ms),
                     .idle_timeout = Ms(config.http_idle_timeout_ms),
                     .stream_idle_timeout = Ms(config.http_stream_idle_timeout_ms),
                     .rate_window = Ms(config.http_rate_window_ms),
                     .min_bytes_per_second = Size(config.http_min_bytes_per_second)},
          .trusted_proxies = TrustedProxiesOf(config)};
}

TlsFiles TlsFilesOf(const Config& config) {
  return {.certificate = config.tls_certificate, .key = config.tls_key, .client_ca = config.tls_client_ca};
}

CorsOrigins CorsOriginsOf(const Config& config) { return *CorsOrigins::Parse(config.http_cors_origins); }

TrustedProxies TrustedProxiesOf(const Config& config) { return *TrustedProxies::Parse(config.trusted_proxies); }

ForwardedHeader ForwardedHeaderOf(const Config& config) {
  return config.trusted_proxy_header == "forwarded" ? ForwardedHeader::kForwarded : ForwardedHeader::kXForwardedFor;
}

}  // namespace bertha::server
