//! The kubeconfig of a served world.

use std::net::SocketAddr;

/// A kubeconfig (YAML) whose only context is the server at `address`.
pub fn kubeconfig(address: SocketAddr) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: simulation\nclusters:\n- name: simulation\n  cluster:\n    server: http://{address}\n\
         contexts:\n- name: simulation\n  context:\n    cluster: simulation\n    namespace: default\n    user: kubernetes-admin\n\
         users:\n- name: kubernetes-admin\n  user: {{}}\n"
    )
}
