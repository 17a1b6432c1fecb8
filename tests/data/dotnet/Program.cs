// Dumps itself through the native function, as programs for Windows do: minidump HOW FILE
using System;
using System.Diagnostics;
using System.IO;
using System.Runtime.InteropServices;

static class Program
{
    const int MiniDumpWithThreadInfo = 0x1000;

    [DllImport("dbghelp.dll", SetLastError = true)]
    static extern bool MiniDumpWriteDump(IntPtr process, int processId, IntPtr file, int type,
        IntPtr exception, IntPtr streams, IntPtr callback);

    static void Write(string path)
    {
        using var file = new FileStream(path, FileMode.Create);
        using var self = Process.GetCurrentProcess();
        bool written = MiniDumpWriteDump(self.Handle, self.Id, file.SafeFileHandle.DangerousGetHandle(),
            MiniDumpWithThreadInfo, IntPtr.Zero, IntPtr.Zero, IntPtr.Zero);
        Console.WriteLine(written ? "written" : $"failed: {Marshal.GetLastPInvokeError()}");
    }

    static void Main(string[] arguments)
    {
        string how = arguments[0], path = arguments[1];
        if (how == "call") Write(path);
        if (how == "first-chance")
        {
            AppDomain.CurrentDomain.FirstChanceException += (_, what) =>
            {
                if (what.Exception is NotImplementedException) Write(path);
            };
            try { throw new NotImplementedException(); }
            catch (NotImplementedException) { Console.WriteLine("caught"); }
        }
        if (how == "unhandled")
        {
            AppDomain.CurrentDomain.UnhandledException += (_, _) => Write(path);
            throw new InvalidOperationException("nobody catches this");
        }
    }
}
