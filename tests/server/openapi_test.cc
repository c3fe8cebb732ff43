// The OpenAPI document of each HTTP port beside what its router answers.
#include <set>
#include <span>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "embedded/bertha_admin_api_files.h"
#include "embedded/bertha_api_files.h"
#include "nlohmann/json.hpp"
#include "server/http_admin.h"
#include "server/http_front.h"
#include "tests/server/fixture.h"

namespace bertha::server {
namespace {

using nlohmann::json;
/// "POST /v1/classify"
using Operations = std::set<std::string>;

json DocumentOf(std::span<const StaticFile> files) {
  REQUIRE(files.size() == 1);
  return json::parse(files[0].bytes);
}

Operations Described(const json& document) {
  Operations operations;
  for (const auto& [path, methods] : document.at("paths").items()) {
    for (const auto& [method, operation] : methods.items()) {
      operations.insert(absl::StrCat(absl::AsciiStrToUpper(method), " ", path));
    }
  }
  return operations;
}

/// Calls, not pages.
Operations Routed(const HttpRouter& router) {
  Operations operations;
  for (const HttpRouter::Pattern& pattern : router.patterns()) {
    if (pattern.text != "/v2" && !absl::StartsWith(pattern.text, "/v1/") && !absl::StartsWith(pattern.text, "/v2/")) {
      continue;
    }
    operations.insert(absl::StrCat(pattern.method, " ", pattern.text));
  }
  return operations;
}

struct PortsFixture : InferenceFixture {
  PortsFixture() { config.http_address = config.admin_http_address = "127.0.0.1:0"; }

  Config config;
  Gate gate;
  HealthBoard board{table, clock, {}};
  CallObserver observer{RequestLog::kNone};
  ModelWatcher watcher{{.directory = "/nowhere"}, table, dispatcher, {}};
  const PublicParts callers{gate, observer, inference, table, board};
  const AdminParts operators{nullptr, table, watcher, clock, observer};
};

TEST_CASE("ThePublicPortsDocumentHasItsRoutesAndNoOthers") {
  PortsFixture f;
  const auto front = HttpFront::Start(f.config, f.callers, nullptr);
  REQUIRE(front.ok());
  const Operations described = Described(DocumentOf(ApiFiles()));
  CHECK(described == Routed((*front)->router()));
  CHECK(described.contains("POST /v1/stream-classify"));
  CHECK(described.contains("POST /v2/models/{model}/versions/{version}/infer"));
}

TEST_CASE("TheOperatorsPortsDocumentHasItsRoutesAndNoOthers") {
  PortsFixture f;
  const auto admin = HttpAdmin::Start(f.config, f.operators, nullptr);
  REQUIRE(admin.ok());
  const Operations described = Described(DocumentOf(AdminApiFiles()));
  CHECK(described == Routed((*admin)->router()));
  CHECK(described.contains("POST /v1/model-control/load"));
  CHECK(described.contains("POST /v2/repository/models/{model}/load"));
}

/// What "$ref": "#/..." of `part` point to, all the way down.
void CollectReferences(const json& part, std::set<std::string>& references) {
  for (const auto& [key, value] : part.items()) {
    if (key == "$ref") references.insert(value.get<std::string>());
    if (value.is_structured()) CollectReferences(value, references);
  }
}

TEST_CASE("WhatADocumentRefersToIsInIt") {
  for (const auto& files : {ApiFiles(), AdminApiFiles()}) {
    const json document = DocumentOf(files);
    std::set<std::string> references;
    CollectReferences(document, references);
    CHECK(references.size() > 5);
    for (const std::string& reference : references) {
      INFO(reference);
      CHECK(document.contains(json::json_pointer(reference.substr(1))));
    }
  }
}

TEST_CASE("EachParameterOfAPathIsDescribed") {
  const json document = DocumentOf(ApiFiles());
  const json& path = document.at("paths").at("/v2/models/{model}/versions/{version}/infer");
  CHECK(path.at("post").at("parameters").at(0).at("$ref") == "#/components/parameters/model");
  CHECK(path.at("post").at("parameters").at(1).at("$ref") == "#/components/parameters/version");
  CHECK(path.at("post").at("parameters").at(2).at("name") == "Inference-Header-Content-Length");
}

}  // namespace
}  // namespace bertha::server
