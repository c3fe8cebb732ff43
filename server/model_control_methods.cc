#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "bertha/v1/model_control.pb.h"
#include "server/bertha_methods.h"
#include "server/model_status.h"
#include "tokenizer/json_reader.h"

namespace bertha::server {
namespace {

/// Adds the packages that `name` and `version` mean to a response; empty and 0 mean all.
template <class Response>
void AddPackages(const DirectoryStatus& status, const std::string& name, int64_t version, Response& response) {
  for (const DirectoryStatus::Package& package : status.packages) {
    const ModelKey& key = package.entry.key;
    if (!name.empty() && (key.name != name || (version != 0 && key.version != version))) continue;
    v1::Package& added = *response.add_packages();
    *added.mutable_status() = ToWire(package.entry);
    if (package.waiting && !package.entry.model) added.mutable_status()->clear_state();
    added.set_incomplete(package.waiting);
    added.set_unloaded(package.unloaded);
  }
}

absl::Status NoModelNamed() { return absl::InvalidArgumentError("model: is empty; name one"); }

void List(const ModelWatcher& watcher, v1::ListPackagesResponse& response) {
  const DirectoryStatus status = watcher.Describe();
  AddPackages(status, "", 0, response);
  response.mutable_problems()->Assign(status.problems.begin(), status.problems.end());
  response.set_loaded_bytes(status.loaded_bytes);
  response.set_max_bytes(status.max_bytes);
  response.set_loaded_total(status.counts.loaded);
  response.set_refused_total(status.counts.refused);
  response.set_fell_back_total(status.counts.fell_back);
}

absl::Status Status(const ModelWatcher& watcher, const v1::PackageStatusRequest& request,
                    v1::PackageStatusResponse& response) {
  if (request.model().empty()) return NoModelNamed();
  AddPackages(watcher.Describe(), request.model(), request.version(), response);
  if (response.packages_size() > 0) return absl::OkStatus();
  return absl::NotFoundError(absl::StrCat("no package of ", tokenizer::Quoted(request.model()), "; List shows all"));
}

template <class Request, class Response, class Run>
Method Make(const char* name, Run run) {
  return MakeMethod<Request, Response>(
      *Request::descriptor()->file()->FindServiceByName("ModelControl"), name, Scope::kAdmin,
      [run = std::move(run)](const Caller&, const Request& request, Response& response, Done done) {
        run(request, response, std::move(done));
        return nullptr;
      });
}

}  // namespace

std::vector<Method> ModelControlMethods(ModelWatcher& watcher) {
  return {
      Make<v1::ListPackagesRequest, v1::ListPackagesResponse>(
          "List",
          [&watcher](const auto&, auto& response, const Done& done) {
            List(watcher, response);
            done(absl::OkStatus());
          }),
      Make<v1::PackageStatusRequest, v1::PackageStatusResponse>(
          "Status", [&watcher](const auto& request, auto& response,
                               const Done& done) { done(Status(watcher, request, response)); }),
      Make<v1::LoadRequest, v1::LoadResponse>(
          "Load",
          [&watcher](const auto& request, auto& response, Done done) {
            watcher.Load(request.model(), request.version(),
                         [&watcher, &request, &response, done = std::move(done)](const absl::Status& status) {
                           AddPackages(watcher.Describe(), request.model(), request.version(), response);
                           done(status);
                         });
          }),
      Make<v1::UnloadRequest, v1::UnloadResponse>(
          "Unload",
          [&watcher](const auto& request, auto& response, Done done) {
            if (request.model().empty()) return done(NoModelNamed());
            watcher.Unload(request.model(), request.version(),
                           [&watcher, &request, &response, done = std::move(done)](const absl::Status& status) {
                             AddPackages(watcher.Describe(), request.model(), request.version(), response);
                             done(status);
                           });
          }),
  };
}

}  // namespace bertha::server
