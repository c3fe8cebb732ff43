// The calls of the Open Inference Protocol as tables of methods; see server/method.h.
#ifndef BERTHA_SERVER_OIP_METHODS_H_
#define BERTHA_SERVER_OIP_METHODS_H_

#include <functional>
#include <string>
#include <vector>

#include "server/inference.h"
#include "server/method.h"
#include "server/model_watcher.h"

namespace bertha::server::oip {

const google::protobuf::ServiceDescriptor& Service();

/// What the methods tell beside what Inference knows; outlives them.
struct ServerFacts {
  /// Whether the server as a whole wants calls.
  std::function<bool()> ready;
  /// Where operators load and unload models, for those who try it elsewhere; empty: nowhere.
  std::string admin_address;
};

/// All unary calls, for the public listener: RepositoryModelLoad and -Unload get PERMISSION_DENIED. `inference` and
/// `facts` outlive the methods.
std::vector<Method> PublicMethods(const Inference& inference, const ServerFacts& facts);

/// RepositoryIndex, RepositoryModelLoad and RepositoryModelUnload, for operators. What is referred to outlives them.
std::vector<Method> RepositoryMethods(const ModelTable& models, ModelWatcher& watcher);

}  // namespace bertha::server::oip

#endif  // BERTHA_SERVER_OIP_METHODS_H_
