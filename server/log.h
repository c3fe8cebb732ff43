// Where log lines go: standard error, for people or as JSON objects. No request text is ever logged.
#ifndef BERTHA_SERVER_LOG_H_
#define BERTHA_SERVER_LOG_H_

#include <string>

namespace bertha::server {

/// Sets up spdlog's default logger. `format`: "text" or "json" (one object a line: time, level, message).
/// `level`: debug, info, warn or error. Call once, before threads start.
void InitLogging(const std::string& format, const std::string& level);

/// `text` as the inside of a JSON string.
std::string JsonEscape(const std::string& text);

}  // namespace bertha::server

#endif  // BERTHA_SERVER_LOG_H_
