using System.Diagnostics;

namespace TaskService.Benchmarks.Load;

/// <summary>Builds the service for release: of this tree, and of another revision to compare it with.</summary>
internal static class ServiceBuild
{
    private static readonly string Folder = Path.Combine(Root(), "artifacts", "bench");
    private static readonly string OtherTree = Path.Combine(Folder, "source");

    /// <param name="compare">A revision as git names it; null for none.</param>
    /// <returns>Directories with a built service: of this tree, then of the other.</returns>
    /// <exception cref="InvalidOperationException">A build failed.</exception>
    public static IReadOnlyList<string> Run(string? compare)
    {
        if (compare is null)
        {
            return [Build("here", Root())];
        }
        // A run that was interrupted has left its tree.
        RemoveOtherTree();
        try
        {
            Execute("git", "worktree", "add", "--force", "--detach", OtherTree, compare);
            var other = Build(compare, OtherTree);
            return [Build("here", Root()), other];
        }
        finally
        {
            RemoveOtherTree();
        }
    }

    private static string Build(string name, string tree)
    {
        var output = Path.Combine(Folder, name.Replace('/', '-'));
        var project = Path.Combine(tree, typeof(ServiceBuild).Assembly.GetName().Name!.Replace(".Benchmarks", ""));
        Execute("dotnet", "build", project, "-c", "Release", "--nologo", "-v", "quiet", "-o", output);
        return output;
    }

    private static void RemoveOtherTree()
    {
        if (Directory.Exists(OtherTree))
        {
            Execute("git", "worktree", "remove", "-f", OtherTree);
        }
    }

    private static void Execute(string command, params string[] args)
    {
        using var process = Process.Start(new ProcessStartInfo(command, args) { WorkingDirectory = Root() })!;
        process.WaitForExit();
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException($"{command} {args[0]} ended with {process.ExitCode}");
        }
    }

    private static string Root()
    {
        var folder = AppContext.BaseDirectory;
        while (Directory.GetFiles(folder, "*.sln").Length == 0)
        {
            folder = Path.GetDirectoryName(folder)
                ?? throw new InvalidOperationException("there is no solution above the program");
        }
        return folder;
    }
}
