#include "clients/cli/option_parts.h"

#include <algorithm>

#include "clients/cli/text.h"

namespace bertha::cli {

void AddAddress(CLI::App& app, std::string& address) {
  app.add_option("--address", address, "Where berthad listens")
      ->envname("BERTHA_ADDRESS")
      ->capture_default_str()
      ->type_name("HOST:PORT");
}

void AddTimeout(CLI::App& app, double& seconds, const std::string& what) {
  app.add_option("--timeout", seconds, what)
      ->check(InRange(0.001, 86400.0))
      ->capture_default_str()
      ->type_name("SECONDS");
}

void CheckTexts(const std::vector<std::string>& texts, const std::optional<std::string>& pair) {
  const bool dash = std::find(texts.begin(), texts.end(), "-") != texts.end();
  if (dash && texts.size() > 1) throw CLI::ValidationError("TEXT", "- (standard input) cannot be mixed with texts");
  if (pair && FindInvalidUtf8(*pair)) throw CLI::ValidationError("--pair", "is not UTF-8");
}

}  // namespace bertha::cli
