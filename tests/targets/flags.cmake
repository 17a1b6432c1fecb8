# Debian's compiler protects stacks only when asked to.
set(analyze_faults_COMPILE -fstack-protector-strong)
set(arm64_unwind_pac_COMPILE -mbranch-protection=standard)
# Before version 5 of DWARF such units are in .debug_types.
set(type_units_COMPILE -gdwarf-4 -fdebug-types-section)
