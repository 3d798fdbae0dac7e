using TaskService.Domain;
using TaskService.Storage.Projects;

namespace TaskService.Tests.Storage.Projects;

/// <summary>Projects, for the contract of the engines.</summary>
internal static class ProjectCase
{
    private static readonly DateTimeOffset Epoch = DateTimeOffset.UnixEpoch;

    public static StoreCase<Project> Instance { get; } = new(
        ProjectRow.Entity,
        number => new Project { Name = $"project {number}", Created = Epoch },
        [
            new Project { Name = "žluť \U0001F600 \u2028 \"\\\n'", Created = Epoch.AddTicks(10), Archived = true },
            new Project { Name = "the first of all", Created = DateTimeOffset.MinValue },
            new Project { Name = "the last of all", Created = DateTimeOffset.MaxValue },
        ],
        [new ProjectQuery { Archived = true }, new ProjectQuery { Archived = false }]);
}

public sealed class ProjectMemoryTests() : StoreContract("memory")
{
    private protected override StoreCase Entity => ProjectCase.Instance;
}

public sealed class ProjectFileTests() : StoreContract("fs")
{
    private protected override StoreCase Entity => ProjectCase.Instance;
}

public sealed class ProjectSqliteTests() : StoreContract("sqlite")
{
    private protected override StoreCase Entity => ProjectCase.Instance;
}

public sealed class ProjectPostgresTests() : StoreContract("postgres")
{
    private protected override StoreCase Entity => ProjectCase.Instance;
}
