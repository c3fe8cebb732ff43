// JSON as `bertha` prints it.
#ifndef BERTHA_CLIENTS_CLI_JSON_H_
#define BERTHA_CLIENTS_CLI_JSON_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "clients/cli/row.h"

namespace bertha::cli {

/// Keeps the order of keys, and prints a float with the digits of a float (0.9, not 0.8999999761581421).
using Json = nlohmann::basic_json<nlohmann::ordered_map, std::vector, std::string, bool, int64_t, uint64_t, float>;

/// [begin, end]
inline Json RangeJson(const Range& range) { return Json::array({range.begin, range.end}); }

/// One line, its end included. What is not UTF-8 becomes U+FFFD.
inline std::string JsonLine(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_JSON_H_
