# Debian's compiler protects stacks only when asked to.
set(analyze_faults_COMPILE -fstack-protector-strong)
set(arm64_unwind_pac_COMPILE -mbranch-protection=standard)
