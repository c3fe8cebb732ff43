#include "server/oip/rest_paths.h"

#include "absl/strings/match.h"

namespace bertha::server::oip {
namespace {

std::vector<RestPath> MakePaths() {
  std::vector<RestPath> paths = {
      {"GET", "/v2", "ServerMetadata"},
      {"GET", "/v2/health/live", "ServerLive"},
      {"GET", "/v2/health/ready", "ServerReady"},
      {"GET", "/v2/models/stats", "ModelStatistics"},
      {"POST", "/v2/repository/index", "RepositoryIndex"},
      {"POST", "/v2/repository/models/{model}/load", "RepositoryModelLoad"},
      {"POST", "/v2/repository/models/{model}/unload", "RepositoryModelUnload"},
  };
  for (const std::string model : {"/v2/models/{model}", "/v2/models/{model}/versions/{version}"}) {
    paths.push_back({"GET", model, "ModelMetadata"});
    paths.push_back({"GET", model + "/ready", "ModelReady"});
    paths.push_back({"GET", model + "/config", "ModelConfig"});
    paths.push_back({"GET", model + "/stats", "ModelStatistics"});
    paths.push_back({"POST", model + "/infer", "ModelInfer"});
  }
  return paths;
}

}  // namespace

const std::vector<RestPath>& RestPaths() {
  static const auto* const paths = new std::vector<RestPath>(MakePaths());
  return *paths;
}

bool IsRestPath(absl::string_view path) { return path == "/v2" || absl::StartsWith(path, "/v2/"); }

}  // namespace bertha::server::oip
