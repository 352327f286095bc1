#!/bin/sh
# Stops the processes of a launcher that has ended for any reason.
#
# Standard input is a pipe that only the launcher holds, with lines "watch <pid> <signal>" and
# "forget <pid>". When the pipe closes, every watched process group gets its signal and, ten seconds
# later, KILL.
trap '' INT TERM HUP

watched=''
while read -r verb pid signal; do
  case $verb in
    watch) watched="$pid:$signal $watched" ;;
    forget)
      rest=''
      for entry in $watched; do [ "${entry%%:*}" = "$pid" ] || rest="$rest $entry"; done
      watched=$rest
      ;;
  esac
done

for entry in $watched; do kill -s "${entry##*:}" -- "-${entry%%:*}" 2>/dev/null; done

tenths=0
for entry in $watched; do
  group=${entry%%:*}
  while kill -0 -- "-$group" 2>/dev/null && [ $tenths -lt 100 ]; do
    sleep 0.1
    tenths=$((tenths + 1))
  done
  kill -s KILL -- "-$group" 2>/dev/null
done
exit 0
