"""A CronJob of Kubernetes and the volume of its archive, as YAML.

Texts are written as JSON strings, which YAML reads as they are. `$` is doubled in arguments, where Kubernetes would
fill in variables.
"""

from __future__ import annotations

import json

from exporter.schedule import MADE, Job

MANIFEST = """# {made}
# Once before it: kubectl create secret generic {name} --from-file=openai-api-key=FILE
# (for an encrypted archive also --from-file=archive-key=FILE)
{configmap}apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: {archive_name}
spec:
  accessModes: [ReadWriteOnce]
  resources:
    requests:
      storage: 20Gi
---
apiVersion: batch/v1
kind: CronJob
metadata:
  name: {name}
spec:
  schedule: "{minute} {hour} * * *"
  timeZone: Etc/UTC
  concurrencyPolicy: Forbid
  startingDeadlineSeconds: 21600
  successfulJobsHistoryLimit: 3
  failedJobsHistoryLimit: 7
  jobTemplate:
    spec:
      backoffLimit: 3
      podFailurePolicy:
        rules:
          # 75: the server is unwell; tried again. Anything else waits for the next night, and is seen as a failed Job.
          - action: Count
            onExitCodes: {{containerName: backup, operator: In, values: [75]}}
          - action: FailJob
            onExitCodes: {{containerName: backup, operator: NotIn, values: [0, 75]}}
      template:
        spec:
          restartPolicy: Never
          automountServiceAccountToken: false
          enableServiceLinks: false
          terminationGracePeriodSeconds: 120
          securityContext:
            runAsNonRoot: true
            runAsUser: 10001
            runAsGroup: 10001
            fsGroup: 10001
            fsGroupChangePolicy: OnRootMismatch
            seccompProfile: {{type: RuntimeDefault}}
{jitter}          containers:
            - name: backup
              image: {image}
              command: {command}
              args: {arguments}
              env:
                - name: OPENAI_API_KEY
                  valueFrom:
                    secretKeyRef: {{name: {name}, key: openai-api-key}}
                - name: EXPORTER_ARCHIVE_KEY  # of an encrypted archive
                  valueFrom:
                    secretKeyRef: {{name: {name}, key: archive-key, optional: true}}
              resources:
                requests: {{cpu: 100m, memory: 256Mi}}
                limits: {{memory: 1Gi}}
              securityContext: {security}
              volumeMounts:
                - {{name: archive, mountPath: {archive}}}
{config_mount}          volumes:
            - name: archive
              persistentVolumeClaim: {{claimName: {archive_name}}}
{config_volume}"""

JITTER = """          initContainers:
            - name: jitter
              image: {image}
              command: [/bin/sh, -c, "sleep $$(($$(od -An -N2 -tu2 /dev/urandom) * {seconds} / 65536))"]
              resources:
                requests: {{cpu: 10m, memory: 16Mi}}
                limits: {{memory: 64Mi}}
              securityContext: {security}
"""

SECURITY = "{allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}"


def manifest(job: Job) -> str:
    """Return both documents; `job.user` has no meaning here."""
    image, map_name = _text(job.image), f"{job.name}-config"
    # the archive makes its own folder inside the volume, with its own permissions, where there is room for one
    volume_at = job.archive if job.archive.parent == job.archive.parent.parent else job.archive.parent
    created = f"# kubectl create configmap {map_name} --from-file=exporter.toml=FILE\n"
    program, *arguments = (_no_variables(word) for word in job.arguments("--log-format=json"))
    jitter = JITTER.format(image=image, seconds=job.jitter, security=SECURITY) if job.jitter else ""
    mount = f"                - {{name: config, mountPath: {_text(str(job.config))}, subPath: exporter.toml}}\n"
    volume = f"            - name: config\n              configMap: {{name: {map_name}}}\n"
    return MANIFEST.format(
        made=MADE,
        name=job.name,
        configmap=created if job.config else "",
        archive_name=f"{job.name}-archive",
        minute=job.at.minute,
        hour=job.at.hour,
        jitter=jitter,
        image=image,
        command=_text([program]),
        arguments=_text(arguments),
        security=SECURITY,
        archive=_text(str(volume_at)),
        config_mount=mount if job.config else "",
        config_volume=volume if job.config else "",
    )


def _text(value: str | list[str]) -> str:
    return json.dumps(value, ensure_ascii=False)


def _no_variables(text: str) -> str:
    return text.replace("$", "$$")
