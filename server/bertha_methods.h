// The unary calls of bertha.v1 as tables of methods.
#ifndef BERTHA_SERVER_BERTHA_METHODS_H_
#define BERTHA_SERVER_BERTHA_METHODS_H_

#include <vector>

#include "server/inference.h"
#include "server/method.h"
#include "server/model_table.h"
#include "server/model_watcher.h"

namespace bertha::server {

/// bertha.v1.Bertha, but for StreamClassify. What is referred to outlives the methods.
std::vector<Method> BerthaMethods(const Inference& inference, const ModelTable& models);

/// bertha.v1.Bertha.StreamClassify, which is no table's.
const google::protobuf::MethodDescriptor& StreamClassifyMethod();

/// bertha.v1.ModelControl.
std::vector<Method> ModelControlMethods(ModelWatcher& watcher);

}  // namespace bertha::server

#endif  // BERTHA_SERVER_BERTHA_METHODS_H_
